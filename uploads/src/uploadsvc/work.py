"""What an admitted request comes to where it is more than a PUT: an answer, or a body on its way to one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .refusals import Refusal
from .sink import Body
from .tus.info import Standing

__all__ = ["Answer", "Listening", "Watch", "Work"]

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


class Listening(Protocol):
    """Hears of it until it is stopped."""

    def stop(self) -> None:
        """Also right when it is stopped, or has heard."""


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
    listen: Callable[[Any, Callable[[], None]], Listening] | None = None
    """With a reactor and what to call when somebody else wants the upload; None: nobody can."""
