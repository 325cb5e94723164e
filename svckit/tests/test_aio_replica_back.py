"""What the asyncio replica hands back, and to whom; routers are played by hand."""

import errno
import socket

import pytest
from aio_support import Stage, on_stage, until
from handoff_support import CLIENT, LISTENER
from svckit.handoff import packets, saying
from svckit.handoff.codec import Connection, Load, Taken

from svckit import refusals


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


@pytest.mark.parametrize(("unread", "answer"), [(b"GET", refusals.MISDIRECTED), (b"", b"")])
@on_stage
async def test_without_a_router_for_long_it_is_misdirected(stage: Stage, unread: bytes, answer: bytes) -> None:
    stage.replica._returning._parked._timeout = 0.0
    router = await stage.router()
    client = await stage.hand(router)
    router.die()
    await until(lambda: not stage.replica._links)
    stage.accepted[0].hand_back(unread)
    assert await client.end() == answer


@on_stage
async def test_who_asked_while_it_waited_gets_an_answer_too(stage: Stage) -> None:
    stage.replica._returning._parked._timeout = 0.0
    router = await stage.router()
    client = await stage.hand(router)
    router.die()
    await until(lambda: not stage.replica._links)
    client.send(b"GET")
    stage.accepted[0].hand_back(b"")
    assert await client.end() == refusals.MISDIRECTED


@on_stage
async def test_more_unread_bytes_than_a_message_holds_are_misdirected(stage: Stage) -> None:
    router = await stage.router()
    client = await stage.hand(router)
    stage.accepted[0].hand_back(b"x" * 131_072)
    assert await client.end() == refusals.MISDIRECTED


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

    monkeypatch.setattr(saying, "RETRY", 0.0)
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
