"""Parts that Autobahn is given instead of its own, and one that it lacks."""

import codecs
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["PIECES", "Timers", "Utf8", "join_pieces"]

PIECES = 1024
"""Fragments of a message, or pieces of a frame, that are kept apart before they are joined."""


class Utf8:
    """Autobahn's validator interface on Python's own decoder: ten times the speed of the compiled one that it brings."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._decoder, self._seen = codecs.getincrementaldecoder("utf-8")(), 0

    def validate(self, data: bytes) -> tuple[bool, bool, int, int]:
        """Whether it is valid so far, whether it ends on a character, and where it is: in `data`, in all."""
        try:
            self._decoder.decode(data)
        except UnicodeDecodeError as error:
            return False, False, error.start, self._seen + error.start
        self._seen += len(data)
        return True, not self._decoder.getstate()[0], len(data), self._seen


class Timers:
    """Autobahn's timers, on the reactor that we were given instead of the global one, and exact instead of in batches."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

    def call_later(self, delay: float, func: Callable[..., object], *args: Any, **kw: Any) -> IDelayedCall:
        return self._clock.callLater(delay, func, *args, **kw)


def join_pieces(pieces: list[bytes] | None, at: int) -> int:
    """Join the pieces from `at` on where they have become many; where the next ones begin.

    What comes out are pieces of `PIECES` bytes and more, so the whole takes linear time, and empty ones take no memory.
    """
    if pieces is None or len(pieces) - at < PIECES:
        return at
    joined = b"".join(pieces[at:])
    pieces[at:] = [joined] if joined else []
    return len(pieces)
