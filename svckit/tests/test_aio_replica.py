"""The asyncio replica with a real socket file: being there, and taking; routers are played by hand."""

import errno
import os
import resource
import socket

import pytest
import svckit.handoff.replica as twisted_side
from aio_support import Stage, on_stage, packet_of, settle, until
from handoff_support import CLIENT, LISTENER
from svckit.handoff import packets, peers
from svckit.handoff.aio import door, replica
from svckit.handoff.cell import Cell
from svckit.handoff.codec import VERSION, Connection, Draining, Hello, Load, Message, Routes, Taken, Tls, Welcome, encode
from svckit.handoff.socketfile import connect

from svckit import live


def test_its_limits_are_those_of_the_twisted_replica() -> None:
    for name in ("LOAD_DELAY", "FAREWELL_TIME", "RESERVED_DESCRIPTORS"):
        assert getattr(replica, name) == getattr(twisted_side, name)
    assert replica.GOODBYE_TIME == live.GOODBYE_TIME
    assert door.REST == twisted_side.REST


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
    stage.replica._door._router_uid = 4711
    monkeypatch.setattr(peers, "uid_of_peer", lambda sock: 4712)
    with connect(stage.replica.path) as other:
        await until(lambda: packet_of(other) == (b"",))
    monkeypatch.setattr(peers, "uid_of_peer", lambda sock: 4711)
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
    listener = stage.replica._door._listener
    assert listener is not None
    descriptor = listener.fileno()

    class Exhausted:
        """accept(2) has no descriptor to give."""

        def accept(self) -> None:
            raise OSError(errno.EMFILE, "for the test")

        def fileno(self) -> int:
            return descriptor

    monkeypatch.setattr(door, "REST", 0.0)
    stage.replica._door._listener = Exhausted()  # type: ignore[assignment]
    stage.replica._door._accept()
    stage.replica._door._listener = listener
    await settle()
    await stage.router()
    assert len(stage.replica._links) == 1
