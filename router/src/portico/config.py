"""`portico.toml`: what the router listens to, where each prefix goes, and the limits. Checked whole before anything starts.

Unknown keys, wrong types and routes that lead nowhere are errors which name the file, the key and what was expected.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field
from svckit.routemap import RouteMap

from .arrival import Address

__all__ = [
    "Admin",
    "BadConfig",
    "Config",
    "Handoff",
    "InProcess",
    "Limits",
    "Listener",
    "Route",
    "Service",
    "Tcp",
    "address",
    "load",
    "parse",
]

Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class BadConfig(ValueError):
    """The file is not a configuration; the text says where and why."""


class Listener(Struct, forbid_unknown_fields=True, frozen=True):
    """A port of ours."""

    address: str
    """`host:port`, host numeric; `[::]:port` takes IPv4 too."""


class Admin(Struct, forbid_unknown_fields=True, frozen=True):
    """The port for operators. Loopback, as it has no login."""

    address: str = "127.0.0.1:8081"


class Route(Struct, forbid_unknown_fields=True, frozen=True):
    """Either `prefix` or `path`."""

    service: str
    prefix: str | None = None
    """The path itself and everything below it."""
    path: str | None = None
    """This path and no other."""

    @property
    def pattern(self) -> str:
        """As `svckit.routemap` writes it."""
        return f"={self.path}" if self.path is not None else str(self.prefix)


class Handoff(Struct, tag_field="target", tag="handoff", forbid_unknown_fields=True, frozen=True):
    """Replicas on this host, each a socket file in `folder`; they get the connection itself."""

    folder: str | None = None
    """Default: `/run/portico/` and the service's name."""
    options: dict[str, Any] = field(default_factory=dict)
    """The service's own options, where it runs in the router's process; paths in it are the service's affair."""


class Tcp(Struct, tag_field="target", tag="tcp", forbid_unknown_fields=True, frozen=True):
    """An unmodified server, reached over TCP."""

    address: str
    """`host:port`; a name is resolved again and again, and all its addresses are used."""
    keepalive: Literal["close", "pin"] = "close"
    """`close`: one request for each connection. `pin`: the connection stays with the server, for protocols other than HTTP."""
    connect_timeout: Seconds = 3.0


Service = Handoff | Tcp


class Limits(Struct, forbid_unknown_fields=True, frozen=True):
    """Every bound of the router, in one place; times in seconds, sizes in bytes. `docs/limits.md` explains them."""

    head_deadline: Seconds = 10.0
    """For the whole head of a request, from the connection's start."""
    head_size: Annotated[int, Meta(ge=256, le=65_536)] = 16_384
    """Largest head."""
    idle_timeout: Seconds = 60.0
    """For a connection that was handed back, until the next request begins."""
    waiting: Count = 8_192
    """Connections whose head is not there yet; beyond it the oldest is closed."""
    queue_timeout: Seconds = 5.0
    """For a connection whose service has no replica just now; then 503."""
    queue_size: Count = 1_024
    """Connections that wait so, for each service."""
    take_timeout: Seconds = 2.0
    """For a replica to say that it has taken a connection; then the connection goes to another one."""
    tunnels: Count = 4_096
    """Connections through tcp targets, two descriptors and up to two pipes each."""
    drain_time: Seconds = 10.0
    """For live connections to end after SIGTERM."""


class InProcess(Struct, forbid_unknown_fields=True, frozen=True):
    """What `--in-process` needs beyond the routed services."""

    also: list[str] = field(default_factory=list)
    """Services without a route to run in the process too."""


class Config(Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file."""

    listeners: list[Listener]
    routes: list[Route]
    services: dict[str, Service]
    limits: Limits = field(default_factory=Limits)
    admin: Admin | None = None
    in_process: InProcess = field(default_factory=InProcess)

    def patterns_for(self, service: str) -> tuple[tuple[str, bool], ...]:
        """All patterns, each with whether it leads to `service`."""
        return tuple((route.pattern, route.service == service) for route in self.routes)


def load(path: Path) -> Config:
    """Read and check a file.

    Raises:
        BadConfig: the text names the file, the key and what was expected.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return parse(text)
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from None


def parse(text: str) -> Config:
    """Check a file's text.

    Raises:
        BadConfig: the text names the key and what was expected.
    """
    try:
        config = msgspec.convert(tomllib.loads(text), Config)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(str(error)) from None
    except msgspec.ValidationError as error:
        raise BadConfig(str(error).replace("`$.", "`").replace("Object ", "")) from None
    _check(config)
    return config


def _check(config: Config) -> None:
    if not config.listeners:
        raise BadConfig("listeners: expected at least one")
    for index, listener in enumerate(config.listeners):
        _checked_address(listener.address, f"listeners[{index}].address")
    if config.admin is not None:
        _checked_address(config.admin.address, "admin.address")
    for name, service in config.services.items():
        if isinstance(service, Tcp):
            _checked_address(service.address, f"services.{name}.address")
    for index, route in enumerate(config.routes):
        where = f"routes[{index}]"
        if (route.prefix is None) == (route.path is None):
            raise BadConfig(f"{where}: expected either `prefix` or `path`")
        if route.service not in config.services:
            known = ", ".join(sorted(config.services)) or "none"
            raise BadConfig(f"{where}.service: expected one of the services ({known}), found {route.service!r}")
        try:
            RouteMap([(route.pattern, True)])
        except ValueError as error:
            raise BadConfig(f"{where}: {error}") from None
    try:
        RouteMap((route.pattern, True) for route in config.routes)
    except ValueError as error:
        raise BadConfig(f"routes: {error}") from None


def _checked_address(text: str, key: str) -> None:
    try:
        address(text)
    except ValueError as error:
        raise BadConfig(f"{key}: {error}") from None


def address(text: str) -> Address:
    """`host:port` or `[host]:port` in its two parts.

    Raises:
        ValueError: it is neither.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"expected host:port or [host]:port, found {text!r}")
    return host, int(port)
