"""What router and replica say to each other: `docs/handoff-protocol.md` has its meaning, `svckit.handoff.codec` its bytes."""

from typing import NamedTuple

__all__ = [
    "Address",
    "Connection",
    "Draining",
    "Farewell",
    "Hello",
    "Load",
    "Malformed",
    "Message",
    "Routes",
    "Taken",
    "Tls",
    "Welcome",
]

Address = tuple[str, int]
"""Numeric host and port."""


class Malformed(ValueError):
    """The peer does not speak this protocol; the link is to be closed."""


class Hello(NamedTuple):
    """A replica introduces itself."""

    version: int
    capacity: int
    service: str
    replica: str


class Welcome(NamedTuple):
    """The router has accepted the replica."""

    version: int


class Routes(NamedTuple):
    """A part of the route table, each pattern with whether it leads to this service."""

    last: bool
    patterns: tuple[tuple[str, bool], ...]


class Tls(NamedTuple):
    """What was agreed on where the router has ended TLS. The socket then carries the plain bytes."""

    name: str
    """Host name that the client asked for (SNI), empty where it asked for none."""
    protocol: str
    """By ALPN; empty where nothing was agreed on."""


class Connection(NamedTuple):
    """A connection changes hands, with what was read of it and not answered."""

    number: int
    client: Address
    listener: Address
    unread: bytes
    tls: Tls | None = None
    seal: bytes = b""
    """Shows the router, when the connection comes back, that these are the facts that it has told. Not longer than 255."""


class Taken(NamedTuple):
    """The sender answers for all connections up to `number` from now on."""

    number: int
    open: int


class Load(NamedTuple):
    """How many connections the replica has open."""

    open: int


class Draining(NamedTuple):
    """The replica wants no more connections."""


class Farewell(NamedTuple):
    """The router sends no more connections."""


Message = Hello | Welcome | Routes | Connection | Taken | Load | Draining | Farewell
