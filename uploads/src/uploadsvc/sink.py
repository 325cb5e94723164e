"""Between the socket and the disk: a short queue, one thread job at a time.

The reactor puts pieces in as they arrive, a thread writes all that has gathered meanwhile in one go. When more than `HIGH`
bytes wait, the flow is told to stop, and to go on below `LOW`: the disk slows the socket down, and memory stays flat. What
ends a sink is either `finish` (all bytes are there: commit) or `abort` (they will never be: discard).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["COALESCE", "HIGH", "IN_ALL", "LOW", "Body", "Flow", "Run", "Sink", "add"]

T = TypeVar("T")

HIGH = 512 * 1024
"""Bytes waiting for the disk above which the socket is not read."""
LOW = 128 * 1024
"""Bytes waiting below which it is read again."""
IN_ALL = 48 * 1024 * 1024
"""Bytes waiting for the disk in one replica: where many uploads share it, `HIGH` and `LOW` are less for each."""
COALESCE = 4096
"""Pieces below this size are gathered: a body in one-byte chunks must not cost fifty times its size."""


class Run(Protocol):
    """Runs a job in a thread."""

    def __call__(self, job: Callable[[], T]) -> "Deferred[T]": ...


class Body(Protocol):
    """What becomes of the bytes. Blocks; runs in threads, one job at a time. After `commit` or `discard` it holds nothing."""

    def append(self, pieces: Sequence[bytes | bytearray]) -> None:
        """The next bytes."""

    @property
    def commit(self) -> Callable[..., Any]:
        """Called with how many bytes there were, and with what `Sink.finish` was given. If it fails, `discard` follows."""

    def discard(self) -> None:
        """No more is coming, and it was not all."""


class Flow(Protocol):
    """Who feeds the sink."""

    def full(self) -> None:
        """Stop, if you can; called again for every piece that comes nevertheless."""

    def flowing(self) -> None:
        """Go on."""

    def failed(self, reason: Failure) -> None:
        """The disk refused before the body was complete; nothing that comes now is wanted."""


def add(pieces: list[bytes | bytearray], data: bytes) -> None:
    """Put `data` behind `pieces`; small ones are gathered."""
    last = pieces[-1] if pieces else None
    if len(data) >= COALESCE:
        pieces.append(data)
    elif isinstance(last, bytearray) and len(last) < 16 * COALESCE:
        last += data
    else:
        pieces.append(bytearray(data))


class Sink:
    """One upload's way to the disk. `closed` fires (with None) when nothing of it is left to do."""

    log = Logger()

    def __init__(self, body: Body, run: Run, flow: Flow, share: Callable[[], int] = lambda: HIGH) -> None:
        """`share` tells how many bytes may wait just now, at most `HIGH`."""
        self._share = share
        self.body, self._run, self._flow = body, run, flow
        self._queue: list[bytes | bytearray] = []
        self._waiting = 0
        self._busy = self._full = self._broken = self._discarding = self._over = False
        self._turn: tuple[Callable[[], Any], Deferred[Any]] | None = None
        self._finish: tuple[Callable[[], Any], Deferred[Any]] | None = None
        self.received = 0
        self.committed = False
        self.closed: Deferred[None] = Deferred()

    def write(self, data: bytes, followed: bool = False) -> None:
        """Take a piece; never blocks. `followed`: `finish` or `turn` comes at once, and one job will do for both."""
        if self._broken:
            return
        self.received += len(data)
        self._waiting += len(data)
        add(self._queue, data)
        if self._waiting > min(HIGH, self._share()):
            self._full = True
            self._flow.full()
        if not followed:
            self._next()

    def finish(self, *how: Any) -> "Deferred[Any]":
        """All pieces are there: write the rest and commit; what `commit` gives or raises is the result."""
        assert self._finish is None and not self._broken
        committed: Deferred[Any] = Deferred()
        self._finish = partial(self.body.commit, self.received, *how), committed
        self._next()
        return committed

    def turn(self, job: Callable[[], T]) -> "Deferred[T]":
        """Run a job of the body's own, once all pieces so far are written. Where the sink ends before, nothing comes of it."""
        assert self._turn is None and self._finish is None and not self._broken
        done: Deferred[T] = Deferred()
        self._turn = job, done
        self._next()
        return done

    def abort(self) -> None:
        """No more is coming. Leaves nothing behind; without effect once all was received."""
        if self._finish is None and not self._broken:
            self._break()
            self._next()

    def _next(self) -> None:
        if self._busy or self._over:
            return
        if self._broken:
            self._discarding = True
            self._start(self.body.discard, self._close)
            return
        batch, self._queue = self._queue, []
        size = sum(map(len, batch))
        if self._turn is not None:
            (job, done), self._turn = self._turn, None
            self._start(partial(self._after, batch, job), partial(self._turned, done, size))
        elif self._finish is not None:
            commit, committed = self._finish
            self._start(partial(self._after, batch, commit), partial(self._committed, committed))
        elif batch:
            self._start(partial(self.body.append, batch), partial(self._written, size))

    def _start(self, job: Callable[[], T], then: Callable[[T], Any]) -> None:
        self._busy = True

        def ended(result: Any) -> Any:
            self._busy = False
            return result

        done: Deferred[Any] = self._run(job)
        done.addBoth(ended)
        done.addCallbacks(then, self._fail)
        done.addErrback(lambda reason: self.log.failure("an upload's sink failed", reason))

    def _after(self, batch: Sequence[bytes | bytearray], job: Callable[[], T]) -> T:
        if batch:
            self.body.append(batch)
        return job()

    def _written(self, size: int, _: None) -> None:
        self._waiting -= size
        if self._full and self._waiting < min(LOW, self._share()) and not self._broken:
            self._full = False
            self._flow.flowing()
        self._next()

    def _turned(self, done: "Deferred[Any]", size: int, result: Any) -> None:
        self._waiting -= size
        self._full = False  # whoever had the turn lets the flow go on
        if not self._broken:
            done.callback(result)
        self._next()

    def _committed(self, committed: "Deferred[Any]", result: Any) -> None:
        self.committed = True
        self._close(None)
        committed.callback(result)

    def _fail(self, reason: Failure) -> None:
        if self._discarding:
            self.log.failure("a part could not be removed", reason)
            self._close(None)
            return
        if not self._broken:
            self._break()
            if self._finish is not None:
                self._finish[1].errback(reason)
            else:
                self._flow.failed(reason)
        self._next()

    def _break(self) -> None:
        self._broken = True
        self._queue.clear()
        self._waiting = 0

    def _close(self, _: None) -> None:
        self._over = True
        self.closed.callback(None)
