"""A replica in a thread, and the conformance test of some rules against it."""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from svckit.handoff.aio import SharedHttp
from svckit.handoff.aio.accepted import Accepted
from svckit.handoff.aio.replica import Replica
from svckit.handoff.conformance import RULES, Outcome, check


class Answers(asyncio.Protocol):
    """A server: every request gets the same answer."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class Running:
    """A replica in a thread of its own."""

    def __init__(self, folder: Path, serve: Callable[[Accepted], None] | None = None, drain_time: float = 0.0) -> None:
        self.path, self._drain_time = folder / "a-1.sock", drain_time
        self._serve = serve or self._share
        self._tasks: set[asyncio.Task[Any]] = set()
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(folder, started)), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def _share(self, accepted: Accepted) -> None:
        factory = functools.partial(SharedHttp, accepted, self._replica.ownership, Answers, lambda protocol: None)
        task = asyncio.create_task(asyncio.get_running_loop().connect_accepted_socket(factory, accepted.sock))
        self._tasks.add(task)

    async def _run(self, folder: Path, started: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._replica = Replica("fake", "a-1", folder, self._serve)
        self._replica.start()
        started.set()
        await self._stopped.wait()
        await self._replica.drain(self._drain_time)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)

    def end(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


@contextlib.contextmanager
def running(folder: Path, serve: Callable[[Accepted], None] | None = None, drain_time: float = 0.0) -> Iterator[Running]:
    fake = Running(folder, serve, drain_time)
    try:
        yield fake
    finally:
        fake.end()


def broken_rules(fake: Running, *texts: str, patience: float = 0.7, take_timeout: float = 0.3) -> list[Outcome]:
    """The outcomes of these rules only."""
    chosen = [rule for rule in RULES if rule.text.startswith(texts)]
    assert len(chosen) == len(texts)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("svckit.handoff.conformance.report.RULES", chosen)
        return check(fake.path, stop=fake.stop, patience=patience, take_timeout=take_timeout)
