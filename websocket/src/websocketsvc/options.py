"""The options of both services: what a WebSocket may cost, who may open it, and what is mounted where."""

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta
from svckit.paths import BadTarget, normalise

__all__ = ["AutobahnOptions", "Limits", "MountTable", "Options", "TxwsOptions", "allowed_origins", "mount_table"]

Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]

MountTable = dict[str, str] | str
"""Dotted names by path: a table in TOML, or `PATH=NAME PATH=NAME` in one string (the environment)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may cost."""

    max_message: Count = 1 << 20
    """Bytes in a message from a client, over all of its fragments; more is answered with close code 1009."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Limits):
    """What both services have."""

    max_connections: Count = 10_000
    """Connections at a time; one more is answered with 503."""
    origins: str = "*"
    """Origins whose pages may connect, blank-separated (`https://example.org null`); `*` is any, and any client without."""
    login: str = ""
    """Prefixes of paths whose WebSockets need a login, blank-separated (`/ws/autobahn/private/`); there `*` in `origins` is
    the site's own pages only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutobahnOptions(Options):
    mounts: MountTable = field(default_factory=lambda: {"/ws/autobahn/echo": "websocketsvc.echo_autobahn.AutobahnEcho"})
    """Subclasses of Autobahn's WebSocketServerProtocol, by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TxwsOptions(Options):
    mounts: MountTable = field(default_factory=lambda: {"/ws/txws/echo": "websocketsvc.echo_stream.EchoFactory"})
    """Twisted stream factories, or what makes one when it is called, by path."""
    subprotocols: str = ""
    """Subprotocols spoken, blank-separated; the first of the client's that stands here is chosen."""


def mount_table(mounts: MountTable) -> dict[bytes, str]:
    """Dotted names by path in normal form.

    Raises:
        ValueError: a path or an entry is malformed, or a path stands there twice; the text says which.
    """
    pairs = [tuple(entry.partition("=")[::2]) for entry in mounts.split()] if isinstance(mounts, str) else list(mounts.items())
    table: dict[bytes, str] = {}
    for path, name in pairs:
        try:
            key = normalise(path.encode("utf-8"))
        except BadTarget as error:
            raise ValueError(f"mounts: {path!r}: {error}") from None
        if not name:
            raise ValueError(f"mounts: {path!r}: no dotted name; expected PATH=NAME")
        if key in table:
            raise ValueError(f"mounts: {path!r} stands there twice")
        table[key] = name
    if not table:
        raise ValueError("mounts: nothing is mounted")
    return table


def allowed_origins(origins: str) -> frozenset[str] | None:
    """The option `origins` as `check_upgrade` takes it."""
    words = frozenset(origins.lower().split())
    return None if "*" in words else words
