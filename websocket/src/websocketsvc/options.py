"""The options of the services: what a WebSocket may cost, who may open it, how it is spoken with."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

__all__ = ["AutobahnOptions", "Frames", "Limits", "MountTable", "Options", "RoomsOptions", "TxwsOptions", "allowed_origins"]

Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Frames = Literal["any", "text", "binary"]

MountTable = dict[str, str | dict[str, object]] | str
"""What is mounted, by path: see `websocketsvc.table`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may cost, and how it is spoken with."""

    max_message: Count = 1 << 20
    """Bytes in a message from a client, over all of its fragments, unpacked; more is answered with close code 1009."""
    max_unsent: Count = 1 << 20
    """Bytes that may wait for a client that does not read, beyond what the socket takes; more is close code 1008."""
    max_request: Count = 16384
    """Bytes in the head of the opening request; more is answered with 431."""
    handshake_timeout: Seconds = 5.0
    """Seconds for the whole head; then 408."""
    close_timeout: Seconds = 2.0
    """Seconds that a client has to answer a Close, and to read what was written before it; then the connection is cut."""
    ping_interval: Annotated[float, Meta(ge=0)] = 20.0
    """Seconds between keep-alive pings; a client that is silent over one more interval is cut. 0: no pings."""
    stall_timeout: Seconds = 60.0
    """Seconds that a client may leave unread what was sent to it; then the connection is cut."""
    subprotocols: str = ""
    """Subprotocols spoken, blank-separated; the first of the client's that stands here is chosen."""
    frames: Frames = "any"
    """`text` or `binary`: no other messages are taken, or (txWS) sent; a client that sends one is closed with 1003."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Limits):
    """What all services have."""

    max_connections: Count = 10_000
    """Connections at a time; one more is answered with 503."""
    drain_spread: Annotated[float, Meta(ge=0)] = 1.0
    """Seconds over which a drain spreads its goodbyes, up to 1 s after the drain time; each connection has its own moment."""
    origins: str = "*"
    """Origins whose pages may connect, blank-separated (`https://example.org null`); `*` is any, and any client without."""
    login: str = ""
    """Prefixes of paths whose WebSockets need a login, blank-separated (`/ws/autobahn/private/`); there `*` in `origins` is
    the site's own pages only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutobahnOptions(Options):
    mounts: MountTable = "/ws/autobahn/echo=websocketsvc.echo_autobahn.AutobahnEcho"
    """Subclasses of Autobahn's WebSocketServerProtocol, by path."""
    compression: bool = True
    """Whether permessage-deflate is agreed to where a client offers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomsOptions(AutobahnOptions):
    mounts: MountTable = "/ws/rooms/*=websocketsvc.rooms.Member"
    max_message: Count = 1 << 16
    backplane: str = ""
    """Address of a Redis by which rooms span hosts (`redis://HOST:PORT/NUMBER`, `rediss://…`, `unix:///PATH`). None: rooms are
    the host's own."""
    backplane_file: str = ""
    """File with that address in its first line, for one that has a password."""
    backplane_prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "portico"
    """What all names begin with there; sites that share a Redis have one each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TxwsOptions(Options):
    mounts: MountTable = field(
        default_factory=lambda: {  # type: ignore[assignment] # a dict of either
            "/ws/txws/echo": "websocketsvc.echo_stream.EchoFactory",
            "/ws/live": {"protocol": "websocketsvc.live.LiveFactory", "frames": "text", "max_message": 1024},
        }
    )
    """Twisted stream factories, or what makes one when it is called, by path."""
    tcp: dict[str, str] | str = ""
    """Where /ws/tcp/NAME leads: `HOST:PORT` or `unix:PATH` by name (`NAME=HOST:PORT`, blank-separated). None: no bridge."""


def allowed_origins(origins: str) -> frozenset[str] | None:
    """The option `origins` as `check_upgrade` takes it."""
    words = frozenset(origins.lower().split())
    return None if "*" in words else words
