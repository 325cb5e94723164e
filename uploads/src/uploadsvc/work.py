"""What an admitted request comes to where it is more than a PUT: an answer, or a body on its way to one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .refusals import Refusal
from .sink import Body
from .tus.bell import Lock
from .tus.shelf import Standing

__all__ = ["Answer", "Watch", "Work"]

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that is no refusal."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    """JSON, where there is any."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A response that tells how far an upload is, as it goes on."""

    look: Callable[[], Standing | None]


@dataclass(frozen=True, slots=True)
class Work:
    """A body that is wanted."""

    body: Body
    room: int
    """Bytes that it may have; one more is 413."""
    answer: Callable[[Any], Answer]
    """To what `body.commit` gives."""
    refusal: Callable[[BaseException | None], Refusal]
    """To what it raises."""
    way: str
    """`form` or `tus`, for the counts."""
    lock: Lock | None = None
    """Whose bell breaks it off."""
