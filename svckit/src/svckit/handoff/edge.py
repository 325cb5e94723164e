"""What is around a replica's end of a link: the loop that turns it, the owner that it tells, and what it gives back."""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeVar

from .codec import Connection, Hello

__all__ = ["Alarm", "Edge", "GoesBack", "Owner", "R", "Reads"]


class Alarm(Protocol):
    """A call that is to come."""

    def cancel(self) -> object: ...


class Reads(ABC):
    """The loop, as one sees it who only reads."""

    @abstractmethod
    def _later(self, delay: float, call: Callable[[], None]) -> Alarm: ...

    @abstractmethod
    def _start_reading(self) -> None:
        """Call `_read` whenever there is something."""

    @abstractmethod
    def _stop_reading(self) -> None: ...


class Edge(Reads):
    """The loop, as the link sees it."""

    @abstractmethod
    def _now(self) -> float:
        """Seconds."""

    @abstractmethod
    def _start_writing(self) -> None:
        """Call `_writable` whenever there is room."""

    @abstractmethod
    def _stop_writing(self) -> None: ...

    @abstractmethod
    def _error(self, text: str, **values: object) -> None:
        """Log it; `text` names the values in braces."""

    @abstractmethod
    def _warn(self, text: str) -> None: ...


class GoesBack(Protocol):
    """A connection on its way back to a router."""

    @property
    def sock(self) -> socket.socket: ...

    @property
    def unread(self) -> bytes: ...

    def packet(self, number: int) -> bytes:
        """What the router is told of it, under this number: a CONNECTION."""

    def __hash__(self) -> int: ...


L = TypeVar("L", contravariant=True)
R = TypeVar("R", bound=GoesBack)


class Owner(Protocol[L, R]):
    """Whom a link (L) tells what happens on it; it hands back what R is."""

    def hello(self) -> Hello: ...
    def load(self) -> int: ...
    def routes(self, patterns: tuple[tuple[str, bool], ...]) -> None: ...
    def adopt(self, connection: Connection, descriptor: int, link: L) -> None: ...
    def welcomed(self, link: L) -> None: ...
    def farewell(self, link: L) -> None: ...
    def ended(self, link: L, returned: list[R]) -> None: ...
