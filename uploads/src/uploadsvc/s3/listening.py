"""How a request hears that another one wants its upload: it looks into the record from time to time.

A bell as in a folder (`tus.bell`) does not reach other hosts.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..sink import Run
from .bucket import Bucket
from .record import Handle

__all__ = ["LOOK", "Listening"]

LOOK = 1.0
"""Seconds between two looks."""


class Listening:
    """Calls `rung` once, unless `stop` is called before."""

    def __init__(self, bucket: Bucket, handle: Handle, run: Run, reactor: IReactorTime, rung: Callable[[], None]) -> None:
        self._bucket, self._id, self._token = bucket, handle.id, handle.token
        self._run, self._reactor, self._rung = run, reactor, rung
        self._stopped = False
        self._next: IDelayedCall | None = None
        self._wait()

    def _wait(self) -> None:
        if not self._stopped:
            self._next = self._reactor.callLater(LOOK, self._look)

    def _look(self) -> None:
        found: Any = self._run(partial(Handle.read, self._bucket, self._id))
        found.addCallbacks(self._seen, lambda _: self._wait())  # perhaps the next time

    def _seen(self, found: Handle) -> None:
        record = found.record
        if record.wanted or record.holder not in ("", self._token):
            if not self._stopped:
                self._stopped = True
                self._rung()
        else:
            self._wait()

    def stop(self) -> None:
        """Also right when it has rung."""
        self._stopped = True
        if self._next is not None and self._next.active():
            self._next.cancel()
