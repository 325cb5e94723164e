"""Follow a message's body: how many bytes belong to it, is it complete, and how many may be moved without a look at them?

A body is fed the bytes as they come and never takes one that belongs to the next message. What a splice(2) moved in the kernel
is reported by `skip`.
"""

from typing import Protocol

from .chunked import Chunked

__all__ = ["CHUNKED", "UNTIL_CLOSE", "Body", "Counted", "Endless", "body_of"]

CHUNKED = -1
"""As a length: the body says itself where it ends."""
UNTIL_CLOSE = -2
"""As a length: the body ends with the connection."""
ENDLESS = 1 << 62


class Body(Protocol):
    """What follows one body."""

    @property
    def complete(self) -> bool:
        """Nothing more belongs to it."""

    @property
    def bulk(self) -> int:
        """So many bytes may be moved without a look at them."""

    def skip(self, count: int) -> None:
        """`count` bytes of `bulk` were moved unseen."""

    def feed(self, piece: bytes, start: int = 0) -> int:
        """How many bytes of `piece`, from `start` on, belong to this body; MALFORMED (negative) when its framing is broken."""


class Counted:
    """A body of a known length."""

    __slots__ = ("bulk",)

    def __init__(self, length: int) -> None:
        self.bulk = length

    @property
    def complete(self) -> bool:
        """All has come."""
        return not self.bulk

    def skip(self, count: int) -> None:
        """See `Body`."""
        self.bulk -= count

    def feed(self, piece: bytes, start: int = 0) -> int:
        """See `Body`; a length cannot be malformed here."""
        count = min(self.bulk, len(piece) - start)
        self.bulk -= count
        return count


class Endless:
    """A body that ends with the connection."""

    __slots__ = ()
    complete = False
    bulk = ENDLESS

    def skip(self, count: int) -> None:
        """See `Body`."""

    def feed(self, piece: bytes, start: int = 0) -> int:
        """Everything."""
        return len(piece) - start


def body_of(length: int) -> Body:
    """What follows a body of `length` bytes, or CHUNKED, or UNTIL_CLOSE."""
    if length >= 0:
        return Counted(length)
    return Chunked() if length == CHUNKED else Endless()
