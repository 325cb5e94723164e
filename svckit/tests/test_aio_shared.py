"""A server's protocol on a connection that it shares; the server is played by the test."""

import asyncio
import select
import socket

import pytest
from aio_support import Stage, on_stage, settle, until
from handoff_support import CLIENT, LISTENER
from shared_support import OK, Server, begin, get
from svckit.handoff.aio import departure
from svckit.handoff.aio.heads import HEAD_SIZE
from svckit.handoff.aio.turns import READ_SIZE
from svckit.handoff.codec import Connection, Tls

# -- what the server sees


@on_stage
async def test_the_preface_comes_before_what_is_in_the_socket(stage: Stage) -> None:
    scene = await begin(stage, b"GET /a/1 HT")
    scene.client.send(b"TP/1.1\r\nHost: x\r\n\r\n")
    await scene.given(get("/a/1"))


@pytest.mark.parametrize("tls", [None, Tls("a.example", "http/1.1")])
@on_stage
async def test_addresses_and_tls_are_those_that_the_router_names(stage: Stage, tls: Tls | None) -> None:
    scene = await begin(stage, tls=tls)
    transport = scene.server.transport
    assert transport.get_extra_info("peername") == CLIENT
    assert transport.get_extra_info("sockname") == LISTENER
    assert bool(transport.get_extra_info("sslcontext")) is (tls is not None)
    assert transport.get_extra_info("socket", "none") == "none"


@on_stage
async def test_one_request_at_a_time(stage: Stage) -> None:
    first = b"POST /a/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    second = b"POST /a/2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    scene = await begin(stage, first + b"\r\n" + second + get("/a/3"))
    for request in (first, second, get("/a/3")):
        await scene.given(request)
        await scene.answered()
    assert not scene.server.lost


@on_stage
async def test_byte_by_byte(stage: Stage) -> None:
    request = b"POST /a/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    scene = await begin(stage)
    for _ in range(2):
        for at in range(len(request)):
            scene.client.send(request[at : at + 1])
            await settle()
        await scene.given(request)
        await scene.answered()


@on_stage
async def test_an_answer_before_the_end_of_the_request(stage: Stage) -> None:
    scene = await begin(stage, b"POST /a/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
    await until(lambda: scene.server.received.endswith(b"bo"))
    await scene.answered()
    scene.client.send(b"dy" + get("/b/2"))
    assert (await scene.given_back())[0] == get("/b/2")
    assert scene.server.received.endswith(b"body")


@on_stage
async def test_nothing_is_read_while_there_is_something_to_answer(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1") + get("/a/2"))
    (accepted,) = stage.accepted
    await scene.given(get("/a/1"))
    scene.client.send(get("/a/3"))
    await until(lambda: select.select([accepted.sock], [], [], 0)[0])
    await settle()
    assert accepted.sock.recv(1000, socket.MSG_PEEK) == get("/a/3")
    for number in (2, 3):
        await scene.answered()
        await scene.given(get(f"/a/{number}"))


@on_stage
async def test_the_server_may_stop_and_go_on_reading(stage: Stage) -> None:
    scene = await begin(stage, b"POST /a/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
    scene.server.transport.pause_reading()
    assert not scene.server.transport.is_reading()
    scene.client.send(b"body")
    await settle()
    assert scene.server.received.endswith(b"\r\n\r\n")
    scene.server.transport.resume_reading()
    await until(lambda: scene.server.received.endswith(b"body"))


@on_stage
async def test_a_slow_reader_pauses_the_server(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1"))
    await until(lambda: scene.server.received)
    body = b"x" * 20_000_000
    scene.server.transport.writelines([b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n", body])
    assert scene.server.paused
    await scene.client.expect(body)
    assert not scene.server.paused


# -- going back


@on_stage
async def test_a_request_of_another_service_goes_back_with_its_connection(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1"))
    await scene.once()
    scene.client.send(get("/b/2") + get("/a/3"))
    unread, sock = await scene.given_back()
    assert unread == get("/b/2") + get("/a/3")
    sock.send(OK)
    await scene.client.expect(OK)
    scene.server.transport.write(b"never")
    sock.close()
    assert await scene.client.end() == b""
    assert not len(stage.replica)


@on_stage
async def test_pipelined_it_goes_back_only_after_the_answer(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1") + get("/b/2"))
    await scene.given(get("/a/1"))
    await settle()
    assert not scene.server.lost
    await scene.answered()
    assert (await scene.given_back())[0] == get("/b/2")


@on_stage
async def test_it_goes_back_only_when_the_client_has_read_the_answer(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1") + get("/b/2"))
    body = b"x" * 20_000_000
    scene.server.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + body)
    await until(lambda: scene.server.lost)
    scene.router.hear()
    assert not scene.router.returned
    await scene.client.expect(body)
    assert (await scene.given_back())[0] == get("/b/2")


@on_stage
async def test_a_client_that_reads_nothing_of_it_is_not_waited_for_forever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departure, "FLUSH_TIME", 0.0)
    scene = await begin(stage, get("/a/1") + get("/b/2"))
    scene.server.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 20_000_000)
    await until(lambda: not len(stage.replica))
    assert len(await scene.client.end()) < 20_000_000


@on_stage
async def test_the_first_request_never_goes_back(stage: Stage) -> None:
    scene = await begin(stage, get("/b/1"))
    await scene.given(get("/b/1"))


@on_stage
async def test_after_the_last_answer_nothing_begins_and_nothing_goes_back(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1", "Connection: close") + get("/b/2"))
    await scene.given(get("/a/1", "Connection: close"))
    await scene.answered()
    await settle()
    assert not scene.server.received
    assert not scene.server.lost
    scene.server.transport.close()
    assert await scene.client.end() == b""


@on_stage
async def test_what_goes_back_fits_a_message(stage: Stage) -> None:
    """However much a client sends without waiting: here 1 MB in heads that make a read begin at the worst place."""
    scene = await begin(stage, get("/a/1"), server=Server())
    await scene.once()
    scene.server.answer = OK
    filler = b"x: " + b"y" * 8000 + b"\r\n"
    piece = b"GET /a/ HTTP/1.1\r\nHost: x\r\n" + filler + b"\r\n"
    scene.client.sock.setblocking(True)
    sender = asyncio.get_running_loop().run_in_executor(None, scene.client.sock.sendall, piece * 20 + get("/b/") * 8000)
    message = await stage.hear(scene.router, Connection)
    assert len(message.unread) <= HEAD_SIZE + READ_SIZE
    scene.router.take(message.number)
    scene.router.die()
    await asyncio.gather(sender, return_exceptions=True)


@on_stage
async def test_an_answer_that_cannot_be_followed_is_the_last(stage: Stage) -> None:
    scene = await begin(stage, get("/a/1") + get("/b/2"))
    await scene.answered(b"HTTP/1.1 200 OK\r\nContent-Length: what\r\n\r\n")
    await scene.answered(b"more of it")
    assert scene.server.received == get("/a/1")
    assert not scene.server.lost
