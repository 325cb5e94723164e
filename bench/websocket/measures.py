"""What `bench.websocket` measures of a server: what idle connections cost, and what a message does."""

import contextlib
import select
import time
from dataclasses import dataclass

from websockets.sync.client import connect

from .servers import Server

__all__ = ["Sample", "check", "idle", "talking"]

KEY, TEXT, SIZE = b"\x37\xfa\x21\x3d", 0x81, 64
PAYLOAD = (b"abcdefghijklmnop" * 4)[:SIZE]
FRAME = bytes((TEXT, 0x80 | SIZE)) + KEY + bytes(byte ^ KEY[at & 3] for at, byte in enumerate(PAYLOAD))
ECHO = bytes((TEXT, SIZE)) + PAYLOAD
WARM_UP = 0.5
"""Seconds of talking that do not count."""


def check(server: Server) -> None:
    """It echoes what it should.

    Raises:
        AssertionError: it does not.
    """
    with connect(f"ws://127.0.0.1:{server.port}{server.path}", open_timeout=30, max_size=None) as websocket:
        for message in ("héllo", b"\xff\x00", "", "x" * 126, b"y" * 70_000):
            websocket.send(message)
            assert websocket.recv(30) == message
        websocket.send(["frag", "men", "ted"])
        assert websocket.recv(30) == "fragmented"
        assert websocket.ping(b"?").wait(30)
    assert websocket.close_code == 1000


def idle(server: Server, count: int) -> float:
    """KiB of the server's memory for each of so many connections that say nothing."""
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(server.connect())
        time.sleep(0.5)
        before = server.memory
        for _ in range(count):
            stack.enter_context(server.connect())
        time.sleep(1)
        return (server.memory - before) / 1024 / count


@dataclass(frozen=True, slots=True)
class Sample:
    """Of one server, once."""

    rate: float
    """Messages a second."""
    cpu: float
    """Microseconds of the server's processor for each."""
    median: float
    """Milliseconds of a round trip."""
    worst: float
    """The same, of 99 in 100."""


def talking(server: Server, count: int, seconds: float) -> Sample:
    """So many connections with one message under way on each. Every echo is compared.

    Raises:
        AssertionError: one is wrong.
    """
    clock = time.perf_counter
    with contextlib.ExitStack() as stack:
        poller = stack.enter_context(select.epoll())
        sent = {}
        for _ in range(count):
            sock = stack.enter_context(server.connect())
            sock.setblocking(False)
            poller.register(sock.fileno(), select.EPOLLIN)
            sent[sock.fileno()] = (sock, clock())
        for sock, _ in sent.values():
            sock.send(FRAME)
        took: list[float] = []
        parts: dict[int, bytes] = {}
        begin = clock() + WARM_UP
        end, cpu, began = begin + seconds, 0.0, 0.0
        while (now := clock()) < end:
            if not began and now >= begin:
                took.clear()
                cpu, began = server.cpu, now
            for number, _ in poller.poll(1):
                sock, at = sent[number]
                data = parts.pop(number, b"") + sock.recv(4096)
                if len(data) < len(ECHO):
                    assert data, "it has hung up"
                    parts[number] = data
                    continue
                assert data == ECHO, data
                now = clock()
                took.append(now - at)
                sent[number] = (sock, now)
                sock.send(FRAME)
        cpu, passed = server.cpu - cpu, clock() - began
    took.sort()
    return Sample(len(took) / passed, cpu / len(took) * 1e6, took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3)
