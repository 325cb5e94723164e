"""The asyncio replica with a real socket file; routers are played by hand."""

import asyncio
import errno
import os
import resource
import socket

import pytest
import svckit.handoff.replica as twisted_side
from aio_support import Stage, on_stage, settle, until
from handoff_support import CLIENT, LISTENER
from svckit.handoff import linkend, packets
from svckit.handoff.aio import answers, replica
from svckit.handoff.cell import Cell
from svckit.handoff.codec import (
    VERSION,
    Connection,
    Draining,
    Farewell,
    Hello,
    Load,
    Message,
    Routes,
    Taken,
    Tls,
    Welcome,
    encode,
)
from svckit.handoff.socketfile import connect

from svckit import live, web


def test_its_limits_and_answers_are_those_of_the_twisted_replica() -> None:
    for name in ("LOAD_DELAY", "FAREWELL_TIME", "REST", "RESERVED_DESCRIPTORS"):
        assert getattr(replica, name) == getattr(twisted_side, name)
    assert replica.GOODBYE_TIME == live.GOODBYE_TIME
    for name in answers.__all__:
        assert getattr(answers, name) == getattr(web, name)


# -- being there


@on_stage
async def test_the_file_is_there_and_hello_is_the_first_word(stage: Stage) -> None:
    assert os.listdir(stage.folder) == ["a-1.sock"]
    router = await stage.router(welcome=False)
    capacity = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - replica.RESERVED_DESCRIPTORS
    assert router.hear() == [Hello(VERSION, capacity, "static", "a-1")]


@on_stage
async def test_a_second_one_of_the_same_name_does_not_start(stage: Stage) -> None:
    with pytest.raises(OSError, match=r"a-1\.sock"):
        replica.Replica("static", "a-1", stage.folder, lambda accepted: None).start()


@on_stage
async def test_another_user_than_the_routers_is_not_linked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.replica._router_uid = 4711
    monkeypatch.setattr(replica, "uid_of_peer", lambda sock: 4712)
    with connect(stage.replica.path) as other:
        await until(lambda: _packet(other) == (b"",))
    monkeypatch.setattr(replica, "uid_of_peer", lambda sock: 4711)
    await stage.router()
    assert len(stage.replica._links) == 1


# -- taking


@on_stage
async def test_a_connection_comes_with_all_that_is_known_of_it(stage: Stage) -> None:
    router = await stage.router()
    client, accepted = stage.pair()
    router.say(Connection(1, CLIENT, LISTENER, b"GET", Tls("a.example", "http/1.1")), accepted.fileno())
    assert await stage.hear(router, Taken) == Taken(1, 1)
    (found,) = stage.accepted
    assert (found.client, found.listener, found.preface) == (CLIENT, LISTENER, b"GET")
    assert found.tls == Tls("a.example", "http/1.1")
    found.sock.send(b"hello")
    await client.expect(b"hello")


@on_stage
async def test_nobody_sees_a_connection_before_taken_is_said(stage: Stage) -> None:
    """The router reads nothing, so TAKEN cannot be said: the connection waits."""
    router = await stage.router()
    (link,) = stage.replica._links
    while not link._unsent:
        link.say_load()
    _, accepted = stage.pair()
    router.hand(accepted)
    await settle()
    assert not stage.accepted
    assert await stage.hear(router, Taken) == Taken(1, 1)
    await until(lambda: stage.accepted)


@on_stage
async def test_revoked_connections_are_let_go_of_untouched(stage: Stage) -> None:
    router = await stage.router()
    client, accepted = stage.pair()
    router.revoke()
    router.hand(accepted, b"x")
    await settle()
    assert not stage.accepted
    assert client.hears_nothing()
    accepted.send(b"served elsewhere")
    await client.expect(b"served elsewhere")
    accepted.close()
    assert await client.end() == b""  # no other descriptor is left


@on_stage
async def test_of_a_dead_router_everything_is_ours(stage: Stage) -> None:
    router = await stage.router()
    client, accepted = stage.pair()
    router.sock.shutdown(socket.SHUT_RD)
    router.hand(accepted, b"x")
    router.die()
    accepted.close()
    await until(lambda: stage.accepted)
    stage.accepted[0].sock.send(b"here")
    await client.expect(b"here")


@pytest.mark.parametrize(
    "packet",
    [
        b"\x63",
        b"",
        encode(Taken(1, 0)),
        encode(Connection(1, CLIENT, LISTENER, b"")),
        encode(Routes(True, (("no-slash", True),))),
    ],
    ids=["unknown", "end", "never-sent", "without-descriptor", "not-a-pattern"],
)
@on_stage
async def test_a_router_that_does_not_speak_the_protocol_is_left(stage: Stage, packet: bytes) -> None:
    router, other = await stage.router(), await stage.router()
    if packet:
        packets.send(router.sock, packet)
    else:
        router.sock.close()
    await until(lambda: len(stage.replica._links) == 1)
    await stage.hand(other)
    assert len(stage.accepted) == 1


@pytest.mark.parametrize("message", [Load(1), Hello(VERSION, 1, "x", "y"), Draining(), Welcome(VERSION)])
@on_stage
async def test_a_message_that_is_not_the_routers_to_send_now_is_passed_over(stage: Stage, message: Message) -> None:
    router = await stage.router()
    reading, writing = os.pipe()
    router.say(message, writing)
    os.close(writing)
    await stage.hand(router)
    assert os.read(reading, 1) == b""  # the descriptor that came with it is closed
    os.close(reading)


@on_stage
async def test_another_version_is_left(stage: Stage) -> None:
    router = await stage.router(welcome=False)
    cell = Cell()
    router.say(Welcome(VERSION + 1), cell.descriptor)
    cell.close()
    await until(lambda: not stage.replica._links)


@on_stage
async def test_a_descriptor_that_is_no_socket_harms_nothing(stage: Stage) -> None:
    router = await stage.router()
    reading, writing = os.pipe()
    router.say(Connection(1, CLIENT, LISTENER, b""), reading)
    os.close(reading)
    assert await stage.hear(router, Taken) == Taken(1, 1)
    os.close(writing)
    await settle()
    assert not len(stage.replica)


@on_stage
async def test_what_cannot_be_served_is_closed(stage: Stage) -> None:
    def serve(accepted: object) -> None:
        raise RuntimeError("for the test")

    stage.serve = serve
    client = await stage.hand(await stage.router())
    assert await client.end() == b""
    assert not len(stage.replica)


@on_stage
async def test_when_descriptors_run_out_links_rest_and_come_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = stage.replica._listener
    assert listener is not None

    class Exhausted:
        """accept(2) has no descriptor to give."""

        def accept(self) -> None:
            raise OSError(errno.EMFILE, "for the test")

        def fileno(self) -> int:
            return listener.fileno()

    monkeypatch.setattr(replica, "REST", 0.0)
    stage.replica._listener = Exhausted()  # type: ignore[assignment]
    stage.replica._accept()
    stage.replica._listener = listener
    await settle()
    await stage.router()
    assert len(stage.replica._links) == 1


# -- handing back


@on_stage
async def test_a_connection_goes_back_with_its_unread_bytes(stage: Stage) -> None:
    router = await stage.router()
    client = await stage.hand(router)
    stage.accepted[0].hand_back(b"GET /b/")
    message, sock = await stage.given_back(router)
    assert message == Connection(1, CLIENT, LISTENER, b"GET /b/")
    sock.send(b"routed again")
    await client.expect(b"routed again")
    sock.close()
    assert await client.end() == b""  # the replica has let go of it
    assert await stage.hear(router, Load) == Load(0)


@on_stage
async def test_what_the_router_has_sealed_goes_back_sealed(stage: Stage) -> None:
    router = await stage.router()
    _, accepted = stage.pair()
    router.say(Connection(1, CLIENT, LISTENER, b"", None, b"sealed"), accepted.fileno())
    await stage.hear(router, Taken)
    stage.accepted[0].hand_back(b"x")
    assert (await stage.given_back(router))[0] == Connection(1, CLIENT, LISTENER, b"x", None, b"sealed")


@on_stage
async def test_an_untaken_hand_back_goes_to_another_router(stage: Stage) -> None:
    first, second = await stage.router(), await stage.router()
    await stage.hand(first)
    stage.accepted[0].hand_back(b"x")
    await stage.hear(first, Connection)
    packets.send(first.sock, b"\x63")  # the link ends, and the router lives: it is told that it is too late
    message, _ = await stage.given_back(second)
    assert message.unread == b"x"
    assert first.cell.is_withdrawn


@on_stage
async def test_without_a_router_a_hand_back_waits_for_one(stage: Stage) -> None:
    router = await stage.router()
    await stage.hand(router)
    router.die()
    await until(lambda: not stage.replica._links)
    stage.accepted[0].hand_back(b"x")
    message, _ = await stage.given_back(await stage.router())
    assert message.unread == b"x"


@pytest.mark.parametrize(("unread", "answer"), [(b"GET", answers.MISDIRECTED), (b"", b"")])
@on_stage
async def test_without_a_router_for_long_it_is_misdirected(stage: Stage, unread: bytes, answer: bytes) -> None:
    stage.replica._parked._timeout = 0.0
    router = await stage.router()
    client = await stage.hand(router)
    router.die()
    await until(lambda: not stage.replica._links)
    stage.accepted[0].hand_back(unread)
    assert await client.end() == answer


@on_stage
async def test_who_asked_while_it_waited_gets_an_answer_too(stage: Stage) -> None:
    stage.replica._parked._timeout = 0.0
    router = await stage.router()
    client = await stage.hand(router)
    router.die()
    await until(lambda: not stage.replica._links)
    client.send(b"GET")
    stage.accepted[0].hand_back(b"")
    assert await client.end() == answers.MISDIRECTED


@on_stage
async def test_more_unread_bytes_than_a_message_holds_are_misdirected(stage: Stage) -> None:
    router = await stage.router()
    client = await stage.hand(router)
    stage.accepted[0].hand_back(b"x" * 131_072)
    assert await client.end() == answers.MISDIRECTED


@on_stage
async def test_a_hand_back_waits_where_too_many_descriptors_are_on_their_way(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = await stage.router()
    await stage.hand(router)
    send, refusals = packets.send, iter([errno.ETOOMANYREFS, errno.ETOOMANYREFS])

    def refused(sock: socket.socket, packet: bytes, descriptor: int | None = None) -> None:
        if descriptor is not None and (number := next(refusals, None)):
            raise OSError(number, "for the test")
        send(sock, packet, descriptor)

    monkeypatch.setattr(linkend, "RETRY", 0.0)
    monkeypatch.setattr(packets, "send", refused)
    stage.accepted[0].hand_back(b"x")
    monkeypatch.undo()
    message, _ = await stage.given_back(router)
    assert message.unread == b"x"


@on_stage
async def test_where_a_descriptor_is_lost_the_link_ends_and_the_router_has_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = await stage.router()
    client, accepted = stage.pair()

    def lost(sock: socket.socket) -> tuple[bytes, int | None]:
        raise packets.DescriptorsLost("for the test")

    monkeypatch.setattr(packets, "receive", lost)
    router.hand(accepted, b"x")
    await until(lambda: not stage.replica._links)
    monkeypatch.undo()
    assert not stage.accepted
    assert client.hears_nothing()


# -- load and drain


@on_stage
async def test_the_load_is_told_when_connections_end(stage: Stage) -> None:
    router = await stage.router()
    for _ in range(3):
        await stage.hand(router)
    for accepted in stage.accepted[:2]:
        accepted.ended()
        accepted.ended()  # said twice, counted once
        accepted.sock.close()
    assert await stage.hear(router, Load) == Load(1)


@on_stage
async def test_a_drain_waits_for_farewell_and_for_connections(stage: Stage) -> None:
    router = await stage.router()
    await stage.hand(router)
    told: list[str] = []
    stage.accepted[0].on_drain = lambda: told.append("drain")
    drain = asyncio.create_task(stage.replica.drain(60))
    await stage.hear(router, Draining)
    assert os.listdir(stage.folder) == []
    assert told == ["drain"]
    late, accepted = stage.pair()
    stage.serve = lambda accepted: setattr(accepted, "on_drain", lambda: told.append("late"))
    router.hand(accepted, b"sent before DRAINING was heard")
    accepted.close()
    await until(lambda: len(stage.accepted) == 2)
    assert told == ["drain", "late"]
    router.say(Farewell())
    await settle()
    assert not drain.done()
    stage.accepted[0].ended()
    stage.accepted[0].sock.close()
    stage.accepted[1].hand_back()
    await settle()
    assert not drain.done()
    await stage.given_back(router)
    await asyncio.wait_for(drain, 10)
    await until(lambda: router.sock.recv(1) == b"")
    assert late.hears_nothing()


@on_stage
async def test_a_router_that_links_during_a_drain_is_told_of_it(stage: Stage) -> None:
    waiting = connect(stage.replica.path)
    await settle()
    await stage.hand(await stage.router())
    drain = asyncio.create_task(stage.replica.drain(0))
    await settle()
    with waiting:
        cell = Cell()
        packets.send(waiting, encode(Welcome(VERSION)), cell.descriptor)
        cell.close()
        heard = b""
        while heard != encode(Draining()):
            heard = (await until(lambda: _packet(waiting)))[0]
    stage.accepted[0].ended()
    stage.accepted[0].sock.close()
    for router in stage.routers:
        router.die()
    await asyncio.wait_for(drain, 10)


def _packet(sock: socket.socket) -> tuple[bytes] | None:
    try:
        return (sock.recv(1 << 17),)
    except BlockingIOError:
        return None


@on_stage
async def test_when_the_drain_time_is_up_what_is_left_says_goodbye_and_is_cut(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "GOODBYE_TIME", 0.0)
    monkeypatch.setattr(replica, "FAREWELL_TIME", 0.0)
    router = await stage.router()
    polite, stubborn = await stage.hand(router), await stage.hand(router)
    stage.accepted[0].on_expire = lambda: stage.accepted[0].sock.send(b"bye") and None
    stage.accepted[1].on_drain = lambda: 1 / 0  # type: ignore[assignment, return-value]
    await stage.replica.drain(0)
    assert await polite.end() == b"bye"
    assert await stubborn.end() == b""
    await stage.replica.drain(0)  # a second one does nothing


# -- a router that hangs


@on_stage
async def test_what_a_router_that_hangs_does_not_take_goes_to_another_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linkend, "TAKE_TIMEOUT", 0.01)
    first, second = await stage.router(), await stage.router()
    await stage.hand(first)
    stage.accepted[0].hand_back(b"x")
    message, _ = await stage.given_back(second)
    assert message.unread == b"x"
    assert first.cell.is_withdrawn


@on_stage
async def test_what_it_said_while_we_were_away_counts(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkend, "TAKE_TIMEOUT", 0.0)
    router = await stage.router()
    await stage.hand(router)
    stage.accepted[0].hand_back(b"x")
    router.take(1)
    await until(lambda: all(each.settled for each in stage.replica._links))
    await settle()
    assert len(stage.replica._links) == 1


@on_stage
async def test_a_router_that_never_says_farewell_does_not_hold_the_drain(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkend, "TAKE_TIMEOUT", 0.01)
    first, second = await stage.router(), await stage.router()
    client = await stage.hand(first)
    stage.accepted[0].on_drain = lambda: stage.accepted[0].hand_back(b"")
    drain = asyncio.create_task(stage.replica.drain(60))
    second.say(Farewell())
    _, sock = await stage.given_back(second)
    await asyncio.wait_for(drain, 10)
    assert first.cell.is_withdrawn
    sock.send(b"alive")
    await client.expect(b"alive")


@on_stage
async def test_what_is_on_its_way_when_the_replica_must_go_gets_421_and_no_reset(stage: Stage) -> None:
    router, _ = await stage.router(), await stage.router()
    client = await stage.hand(router)
    stage.accepted[0].hand_back(b"GET")
    await stage.hear(router, Connection)
    stage.replica.close()
    assert await client.end() == answers.MISDIRECTED
