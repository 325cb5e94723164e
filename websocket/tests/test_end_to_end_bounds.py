"""Clients that do not read, or flood: memory is bounded, nothing is lost, others are not delayed. Processes of their own."""

import contextlib
import socket
import time

import pytest

from .support.dialled import BINARY, opened
from .support.fixtures import Dial, Serve, Shared, Tools

pytestmark = pytest.mark.parametrize("name", ["autobahn", "txws"])


def sent_until_held_back(sock: socket.socket, data: bytes, most: int) -> int:
    """How many bytes of `data`, again and again, are taken before nothing is for a second."""
    sent = 0
    sock.settimeout(1)
    with contextlib.suppress(TimeoutError):
        while sent < most:
            sock.sendall(data)
            sent += len(data)
    return sent


def test_a_client_that_does_not_read_costs_bounded_memory(serve: Serve, name: str, raw: Dial, tools: Tools) -> None:
    """It sends all that is taken from it, up to 128 MB, which an echo without back-pressure would hold in memory."""
    served = serve(name, ping_interval="0")
    sock = raw(served, SO_RCVBUF=65536, SO_SNDBUF=65536)
    message = tools.client_frame(BINARY, b"x" * 60_000)
    before = served.memory()
    sent = sent_until_held_back(sock, message, 128 << 20)
    assert sent < 32 << 20, "it was never held back"
    assert served.memory() - before < 16 << 20
    with opened(served) as ws:
        ws.send("others are not delayed")
        assert ws.recv(10) == "others are not delayed"


def test_a_client_that_reads_again_gets_everything(shared: Shared, name: str, raw: Dial, tools: Tools) -> None:
    served = shared(name)
    sock = raw(served, SO_RCVBUF=65536, SO_SNDBUF=65536)
    stream, sent = tools.client_frame(BINARY, b"x" * 60_000) * 400, 0
    sock.setblocking(False)
    stuck_since = time.monotonic()
    while sent < len(stream) and time.monotonic() - stuck_since < 1:
        try:
            sent += sock.send(stream[sent : sent + 65536])
            stuck_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    assert sent < len(stream), "it was never held back"
    got, wanted = 0, 400 * (60_000 + 4)
    sock.settimeout(10)
    while got < wanted:
        if sent < len(stream):
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sent += sock.send(stream[sent : sent + 65536])
            sock.settimeout(10)
        got += len(sock.recv(1 << 20))
    assert got == wanted


def test_a_flood_of_pings_whose_pongs_nobody_reads_costs_bounded_memory(
    serve: Serve, name: str, raw: Dial, tools: Tools
) -> None:
    served = serve(name, ping_interval="0")
    sock = raw(served, SO_RCVBUF=65536, SO_SNDBUF=65536)
    pings = tools.client_frame(9, b"x" * 125) * 500
    before = served.memory()
    sent = sent_until_held_back(sock, pings, 64 << 20)
    assert sent < 32 << 20 and served.memory() - before < 16 << 20


@pytest.mark.parametrize("opcode", [0, 9])
def test_a_flood_of_tiny_frames_costs_bounded_memory(serve: Serve, name: str, raw: Dial, tools: Tools, opcode: int) -> None:
    """Empty fragments of a message that does not end, or empty pings within it."""
    served = serve(name, ping_interval="0")
    sock = raw(served)
    sock.sendall(tools.client_frame(BINARY, b"x", fin=False))
    flood = tools.client_frame(opcode, b"", fin=opcode > 0) * 2000
    before = served.memory()
    sock.setblocking(False)
    for _ in range(100):
        sent = 0
        while sent < len(flood):
            with contextlib.suppress(BlockingIOError):
                sent += sock.send(flood[sent:])
            with contextlib.suppress(BlockingIOError):
                sock.recv(1 << 20)
    assert served.memory() - before < 16 << 20
    with opened(served) as ws:
        ws.send("others are served")
        assert ws.recv(20) == "others are served"
