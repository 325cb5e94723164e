"""Round trips as on WebSockets: 64 bytes there, the same back, and the next one."""

import time
from functools import partial

from .clients import upgraded
from .loop import Loop
from .sample import Failed, Sample, Wrong, percentile

__all__ = ["round_trips"]

SIZE = 64
_message = bytes(range(SIZE))


def round_trips(port: int, connections: int, seconds: float) -> Sample:
    """So many connections, each with one message under way.

    Raises:
        Failed: one ended.
        Wrong: one brought something else.
    """
    try:
        return _alone(port, seconds) if connections == 1 else _many(port, connections, seconds)
    except OSError as error:
        raise Failed(f"round trips: {error}") from None


def _alone(port: int, seconds: float) -> Sample:
    took: list[float] = []
    clock, message = time.perf_counter, _message
    with upgraded(port) as sock:
        sock.setblocking(False)
        loop = Loop()
        poll = loop.epoll.poll
        loop.epoll.register(sock.fileno(), 1)
        began = now = clock()
        end = began + seconds
        while now < end:
            sock.send(message)
            if not poll(5):
                raise Failed("no answer in 5 s")
            got = sock.recv(4096)
            if got != message:
                raise _other(got)
            before, now = now, clock()
            took.append(now - before)
        loop.close()
    return _sample(took, now - began)


def _many(port: int, connections: int, seconds: float) -> Sample:
    loop, clock = Loop(), time.perf_counter
    took: list[float] = []
    socks = []
    try:
        for _ in range(connections):
            sock = upgraded(port)
            sock.setblocking(False)
            socks.append(sock)
        sent = [0.0] * connections

        def ready(at: int, _: int) -> None:
            sock = socks[at]
            got = sock.recv(4096)
            if got != _message:
                raise _other(got)
            now = clock()
            took.append(now - sent[at])
            sent[at] = now
            sock.send(_message)

        began = clock()
        for at, sock in enumerate(socks):
            loop.add(sock.fileno(), partial(ready, at))
            sent[at] = clock()
            sock.send(_message)
        loop.run(time.monotonic() + seconds)
        passed = clock() - began
    finally:
        for sock in socks:
            sock.close()
        loop.close()
    return _sample(took, passed)


def _other(got: bytes) -> Failed:
    """What it means that `got` came in place of the message."""
    if not _message.startswith(got):
        return Wrong("another answer than what was sent")
    return Failed("a message came in pieces" if got else "a connection ended")


def _sample(took: list[float], passed: float) -> Sample:
    if not took:
        raise Failed("no answer")
    ordered = sorted(took)
    return Sample(len(took), passed, p50=percentile(ordered, 0.5), p99=percentile(ordered, 0.99))
