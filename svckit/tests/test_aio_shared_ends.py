"""How a shared connection to an asyncio server ends: refused, left, failed, drained."""

import asyncio
import socket
import tempfile

import pytest
from aio_support import Stage, on_stage, settle, until
from shared_support import OK, Server, begin, get
from svckit.handoff.aio import shared, turns
from svckit.handoff.aio.heads import HEAD_SIZE

from svckit import refusals

# -- what is refused


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"GET /a/ HTTP/1.1\r\nbad header\r\n\r\n", refusals.BAD_REQUEST),
        (b"GET /a/ HTTP/3.0\r\n\r\n", refusals.BAD_VERSION),
        (b"GET /a/ HTTP/1.1\r\nx: " + b"y" * HEAD_SIZE, refusals.TOO_LARGE),
    ],
)
@pytest.mark.parametrize("first", [False, True])
@on_stage
async def test_a_bad_head_gets_its_answer_and_the_end(stage: Stage, data: bytes, answer: bytes, first: bool) -> None:
    scene = await begin(stage, b"" if first else get("/a/1"))
    if not first:
        await scene.once()
    scene.client.send(data)
    scene.client.send(b"more")
    assert await scene.client.end() == answer
    assert not scene.server.received
    scene.client.send(b"and more")
    scene.client.sock.shutdown(socket.SHUT_WR)
    await until(lambda: not len(stage.replica))


@on_stage
async def test_a_refused_client_is_not_waited_for_long(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "LINGER", 0.0)
    scene = await begin(stage, b"nonsense\r\n\r\n")
    await until(lambda: not len(stage.replica))
    assert scene.server.lost == [None]


@on_stage
async def test_a_head_that_takes_too_long_is_408(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "HEAD_DEADLINE", 0.0)
    scene = await begin(stage, get("/a/1"))
    await scene.once()
    scene.client.send(b"GET")
    assert await scene.client.end() == refusals.HEAD_TIMEOUT


@on_stage
async def test_a_body_with_broken_chunks_ends_the_connection(stage: Stage) -> None:
    """Nothing is said: the server may have answered a part already."""
    scene = await begin(stage, b"POST /a/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    scene.client.send(b"what\r\n")
    assert await scene.client.end() == b""
    assert b"what" not in scene.server.received


# -- a client that ends its side


@on_stage
async def test_a_client_that_has_ended_its_side_gets_its_answers(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1") + get("/a/2") + b"GET /a/not-whole")
    await scene.given(get("/a/1"))
    scene.client.sock.shutdown(socket.SHUT_WR)
    await scene.answered()
    await scene.given(get("/a/2"))
    scene.server.transport.write(OK)
    assert await scene.client.end() == OK


@pytest.mark.parametrize("rest", [b"", b"POST /a/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n123"])
@on_stage
async def test_what_is_not_whole_never_will_be(stage: Stage, rest: bytes) -> None:
    scene = await begin(stage, get("/a/1"))
    await scene.once()
    scene.client.send(rest)
    scene.client.sock.shutdown(socket.SHUT_WR)
    assert await scene.client.end() == b""
    assert scene.server.lost == [None]


@on_stage
async def test_a_client_that_goes_is_lost_to_the_server(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1"))
    scene.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    scene.client.sock.close()
    await until(lambda: scene.server.lost)
    assert not len(stage.replica)


# -- a server that fails


@pytest.mark.parametrize("preface", [b"", get("/a/1")])
@on_stage
async def test_a_server_that_fails_costs_its_connection_only(stage: Stage, preface: bytes) -> None:
    server = Server()
    if not preface:
        server.raises = RuntimeError("for the test")
    scene = await begin(stage, server=server)
    if preface:
        server.raises = RuntimeError("for the test")
        scene.client.send(preface)
    await scene.client.end()
    assert not len(stage.replica)


# -- drain


@on_stage
async def test_an_idle_connection_goes_back_at_once(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1"))
    await scene.once()
    scene.client.send(b"GET /a")
    await until(lambda: scene.shared._unread == b"GET /a")
    stage.accepted[0].on_drain()
    assert (await scene.given_back())[0] == b"GET /a"


@on_stage
async def test_a_busy_one_goes_back_after_its_answer(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1") + get("/a/2"))
    stage.accepted[0].on_drain()
    await scene.given(get("/a/1"))
    await scene.answered()
    assert (await scene.given_back())[0] == get("/a/2")


@on_stage
async def test_one_whose_first_request_is_not_there_yet_is_still_ours(stage: Stage) -> None:
    scene = await begin(stage, b"GET /a/1")
    stage.accepted[0].on_drain()
    scene.client.send(b" HTTP/1.1\r\n\r\n")
    await scene.given(b"GET /a/1 HTTP/1.1\r\n\r\n")
    stage.accepted[0].on_expire()
    assert await scene.client.end() == b""


@on_stage
async def test_one_that_comes_during_the_drain_goes_back_after_its_answer(stage: Stage) -> None:
    waiting = await begin(stage)
    drain = asyncio.create_task(stage.replica.drain(60))
    await settle()
    client, accepted = stage.pair()
    waiting.router.hand(accepted, get("/a/1"))
    accepted.close()
    await until(lambda: waiting.server.received)
    waiting.server.transport.write(OK)
    assert (await stage.given_back(waiting.router))[0].unread == b""
    await client.expect(OK)
    drain.cancel()


@on_stage
async def test_files_are_not_sent_past_us(stage: Stage) -> None:
    scene = await begin(stage)
    with tempfile.TemporaryFile() as file, pytest.raises(NotImplementedError):
        await asyncio.get_running_loop().sendfile(scene.server.transport, file)
