"""Gathers the small files that have come in one moment, for one job in a thread.

While a job is at the disk the next ones gather. So where the disk is slow a job has many files, and where it is quick nobody
waits for others.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .part import Published
from .sink import Run
from .small import Small

__all__ = ["MOST", "MOST_AT_ONCE", "Done", "Together"]

MOST = 128
"""Files in one job: each has a descriptor meanwhile."""
MOST_AT_ONCE = 32
"""The same where no thread is needed: the reactor has its turn after that."""

Done = Callable[[Published | BaseException], None]
"""Hears what has come of a file."""
Results = Sequence[Published | BaseException]
_Waiting = tuple[Small, Done, Callable[[], object]]


class Together:
    """Those of one store."""

    log = Logger()

    def __init__(
        self,
        publish: Callable[[Sequence[Small]], Results],
        run: Run,
        reactor: Any,
        at_once: Callable[[Sequence[Small]], Results | None] | None = None,
    ) -> None:
        """`publish` blocks; `at_once` does not, and has None to say that it would have to: see `instant`."""
        self._publish, self._run, self._reactor, self._at_once = publish, run, reactor, at_once
        self._waiting: deque[_Waiting] = deque()
        self._called = self._busy = False

    def put(self, file: Small, done: Done, slow: Callable[[], object]) -> None:
        """Have it published; never blocks for long. `slow` is called, once or more, where it has to wait for a thread."""
        self._waiting.append((file, done, slow))
        if self._busy:
            slow()
        else:
            self._call()  # those whose bytes have come in the same turn go along

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self._reactor.callLater(0, self._next)

    def _next(self) -> None:
        self._called = False
        most = MOST if self._at_once is None else MOST_AT_ONCE
        now = [self._waiting.popleft() for _ in range(min(len(self._waiting), most))]
        files = [file for file, _, _ in now]
        results = self._try_at_once(files)
        if results is not None:
            self._told(now, results)
            return
        self._busy = True
        for _, _, slow in (*now, *self._waiting):
            slow()
        done: Deferred[Results] = self._run(lambda: self._publish(files))
        done.addErrback(lambda reason: [reason.value] * len(files))
        done.addCallback(partial(self._told, now))

    def _try_at_once(self, files: Sequence[Small]) -> Results | None:
        try:
            return None if self._at_once is None else self._at_once(files)
        except Exception as error:  # whatever it is: later files would wait for ever
            return [error] * len(files)

    def _told(self, now: Sequence[_Waiting], results: Results) -> None:
        self._busy = False
        if self._waiting:  # first: a thread may work while the answers go out
            self._call()
        for (_, done, _), result in zip(now, results, strict=True):
            try:
                done(result)
            except Exception:  # the others are to hear of theirs
                self.log.failure("a small file's answer could not be given")
