"""What connections cost that do nothing, and readers that read slowly: memory of the router, in bytes."""

import contextlib
import gc
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench import machine

from .clients import answer, connect, get
from .sample import Failed
from .stage import Running

__all__ = ["Idle", "Slow", "held", "idle", "slow"]

WARM = 400
"""Connections that come first and stay, so that what is set up once is not counted."""
AT_ONCE = 200
"""Connections that are made before the first of them is read."""
SETTLE = 1.0
STEADY = 64 << 10
"""Bytes; memory that changes by less has settled."""


@dataclass
class Idle:
    """Of the router, for each idle connection."""

    count: int
    bytes_each: float
    descriptors_each: float


@dataclass
class Slow:
    """While `readers` clients read nothing of a large answer."""

    readers: int
    router_each: float
    """Bytes of the router's own memory for each."""
    kernel_each: float
    """Bytes in TCP buffers for each, both sides of the router, on the whole machine."""


@contextlib.contextmanager
def held(contender: Running, count: int) -> Iterator[None]:
    """So many connections, each of which has had one answer."""
    socks: list[socket.socket] = []
    try:
        while len(socks) < count:
            some = []
            for _ in range(min(AT_ONCE, count - len(socks))):
                some.append(connect(contender.port("static"), 30))
                socks.append(some[-1])
                some[-1].sendall(get("/static/1k"))
            for sock in some:
                if answer(sock)[0] != 200:
                    raise Failed("an answer that is not 200")
        yield
    finally:
        for sock in socks:
            sock.close()


def _settled(contender: Running) -> int:
    """Memory when it no longer changes, or after some seconds."""
    last = -STEADY
    for _ in range(8):
        time.sleep(SETTLE / 2)
        found = contender.memory()
        if abs(found - last) < STEADY:
            break
        last = found
    return found


def idle(contender: Running, count: int) -> Idle:
    """Memory and descriptors for each of `count` connections that had an answer and wait."""
    gc.collect()
    with held(contender, WARM):
        before, open_before = _settled(contender), machine.descriptors(contender.pid)
        with held(contender, count):
            after, open_after = _settled(contender), machine.descriptors(contender.pid)
    return Idle(count, (after - before) / count, (open_after - open_before) / count)


def slow(contender: Running, readers: int, seconds: float) -> Slow:
    """Memory at its highest while so many clients read nothing of 1 GiB each."""
    with held(contender, 10):
        before, kernel = _settled(contender), machine.tcp_memory()
        most, most_kernel = before, kernel
        socks = [connect(contender.port("static-bulk")) for _ in range(readers)]
        try:
            for sock in socks:
                sock.sendall(get(f"/static/n/{1 << 30}"))
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.2)
                most, most_kernel = max(most, contender.memory()), max(most_kernel, machine.tcp_memory())
        finally:
            for sock in socks:
                sock.close()
    return Slow(readers, (most - before) / readers, (most_kernel - kernel) / readers)
