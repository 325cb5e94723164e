"""SIGHUP, from before the configuration is read: one that comes while the router starts must neither end it nor be lost."""

import signal
from collections.abc import Callable

__all__ = ["Hangup"]


class Hangup:
    """Notes that the signal has come until there is somebody to act on it."""

    def __init__(self) -> None:
        self._came = False
        self._call: Callable[[], None] | None = None
        signal.signal(signal.SIGHUP, lambda number, frame: self._signalled())

    def _signalled(self) -> None:
        if self._call is None:
            self._came = True
        else:
            self._call()

    def act(self, call: Callable[[], None]) -> None:
        """Call it at each signal from now on, and at once if one has come already. It is called in a signal handler."""
        self._call = call
        if self._came:
            self._came = False
            call()
