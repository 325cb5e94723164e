"""The tables of `portico.toml`: their keys, types and defaults."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct, field

from .checking import Check
from .core.table import RouteTable
from .redirect import Redirect
from .routes import Route, make_table

if TYPE_CHECKING:
    from .service import Refusals

__all__ = [
    "DEFAULT_ADMIN",
    "Admin",
    "Config",
    "Handoff",
    "InProcess",
    "Limits",
    "Listener",
    "Service",
    "Tcp",
    "TlsFiles",
]

T = TypeVar("T")

DEFAULT_ADMIN = "127.0.0.1:8081"
"""Where the operators' port is unless it is said otherwise."""

Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Balance = Literal["least-connections", "round-robin", "random-two", "client", "segment"]


class TlsFiles(Struct, forbid_unknown_fields=True, frozen=True):
    """Where a listener's certificates lie."""

    certificate: str
    """A PEM file with the chain, or a folder with `NAME.crt` and `NAME.key` for each name."""
    key: str | None = None
    """The key's PEM file; default: it is in the same file as the certificate."""


class Listener(Struct, forbid_unknown_fields=True, frozen=True):
    """A port of ours."""

    address: str
    """`host:port`, host numeric; `[::]:port` takes IPv4 too."""
    tls: TlsFiles | None = None
    """Its clients speak TLS, which ends here."""
    proxy: tuple[str, ...] = ()
    """Networks of senders that begin with a PROXY header, which is believed."""


class Admin(Struct, forbid_unknown_fields=True, frozen=True):
    """The port for operators. Loopback or a Unix socket, as it has no login."""

    address: str = DEFAULT_ADMIN
    """`host:port`, or `unix:PATH`."""
    status_folder: str | None = None
    """A folder in which this router has a Unix socket that answers `/status` and nothing else; default: none."""


class Handoff(Struct, tag_field="target", tag="handoff", forbid_unknown_fields=True, frozen=True):
    """Replicas on this host, each a socket file in `folder`; they get the connection itself."""

    folder: str | None = None
    """Default: `/run/portico/` and the service's name."""
    balance: Balance = "least-connections"
    """How replicas are chosen: `least-connections`, `round-robin`, `random-two` (of two drawn at random the one with fewer),
    or always the same one for the same `client`, or for the same `segment` of the path."""
    segment: Count | None = None
    """With `balance = "segment"`: which one, counted from 1; the third of `/ws/rooms/NAME` is NAME."""
    uid: Annotated[int, Meta(ge=0)] | None = None
    """The user as whom its replicas run; none other is linked. Default: the folder's owner, unless that is root or our own."""
    hand_back: bool = True
    """Whether connections are taken back from it; if not, the client is sent away with 421 and comes again."""
    options: dict[str, Any] = field(default_factory=dict)
    """The service's own options, where it runs in the router's process; paths in it are the service's affair."""


class Tcp(Struct, tag_field="target", tag="tcp", forbid_unknown_fields=True, frozen=True):
    """An unmodified server, reached over TCP."""

    address: str
    """`host:port`; a name is resolved again and again, and all its addresses are used."""
    keepalive: Literal["split", "close", "pin"] = "split"
    """`split`: each request on a kept connection goes where it belongs. `close`: one request for each connection. `pin`: the
    connection stays with the server, for protocols other than HTTP."""
    proxy: Literal["v1", "v2"] | None = None
    """With `close` and `pin`: connections to the server begin with a PROXY header of this version, which names the client."""
    capacity: Count | None = None
    """Connections (with `split`: exchanges, and connections that were upgraded) that each address may have under way; further
    ones wait in the queue. None: any number."""
    connect_timeout: Seconds = 3.0
    eject_after: Count = 3
    """Times in a row that an address refuses, or does not accept in time, before it is passed over."""
    eject_time: Seconds = 10.0
    """For how long."""
    balance: Balance = "least-connections"
    """How replicas are chosen: `least-connections`, `round-robin`, `random-two` (of two drawn at random the one with fewer),
    or always the same one for the same `client`, or for the same `segment` of the path."""
    segment: Count | None = None
    """With `balance = "segment"`: which one, counted from 1; the third of `/ws/rooms/NAME` is NAME."""
    answer_timeout: Seconds = 60.0
    """With `split`: for the server to begin its answer when it has the whole request; then 504."""
    exchange_idle: Seconds = 300.0
    """With `split`: for an exchange under way in which no byte moves, in whichever direction; then it is broken off."""
    idle_connections: Count = 256
    """With `split`: idle connections kept to each address, for the next request."""
    idle_time: Seconds = 4.0
    """With `split`: for how long; shorter than what the server keeps idle connections for (many servers: 5 s)."""
    tunnel_idle: Seconds | None = None
    """For a tunnel through which no byte moves; default: no limit."""
    half_closed_idle: Seconds = 300.0
    """The same where one side has ended."""
    check: Check | None = None
    """Ask each address now and again whether it is well; default: no checks."""


Service = Handoff | Tcp


class Limits(Struct, forbid_unknown_fields=True, frozen=True):
    """Every bound of the router, in one place; times in seconds, sizes in bytes. `docs/limits.md` explains them."""

    probe_after: Annotated[int, Meta(ge=1, le=32_767)] = 300
    """Whole seconds of silence after which the kernel asks a client, or the server of a tunnel, whether it is still there."""
    head_deadline: Seconds = 10.0
    """For the whole head of a request, from the connection's start."""
    head_size: Annotated[int, Meta(ge=256, le=65_536)] = 16_384
    """Largest head."""
    idle_timeout: Seconds = 60.0
    """For a connection that was handed back, or waits for its next request to a tcp service."""
    head_fields: Count = 128
    """Most header fields of a request."""
    connections: Count = 32_768
    """Connections in this router; beyond it the next ones wait in the kernel. One that a replica has taken counts no more."""
    client_connections: Count | None = None
    """The same for each client address (IPv6: each /64); further ones are refused. None: any number."""
    reserved_descriptors: Count = 128
    """Descriptors that new connections may not use: when no more are free, the next ones wait in the kernel."""
    waiting: Count = 8_192
    """Connections whose head is not there yet; beyond it the oldest is closed."""
    queue_timeout: Seconds = 5.0
    """For a connection whose service has no replica just now; then 503."""
    queue_size: Count = 8_192
    """Connections that wait so, for each service."""
    take_timeout: Seconds = 2.0
    """For a replica to say that it has taken a connection; then the connection goes to another one."""
    replicas: Count = 256
    """Replicas of each handoff service, two descriptors each; further ones are passed over."""
    proxy_deadline: Seconds = 3.0
    """For the PROXY header of a trusted sender, from the connection's start."""
    tls_sessions: Count = 4_096
    """TLS clients of each listener, three descriptors each."""
    tunnels: Count = 4_096
    """Connections through tcp targets, two descriptors and up to two pipes each."""
    drain_time: Seconds = 10.0
    """For live connections to end after SIGTERM."""


class InProcess(Struct, forbid_unknown_fields=True, frozen=True):
    """What `--in-process` needs beyond the routed services."""

    also: list[str] = field(default_factory=list)
    """Services without a route to run in the process too."""
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Their own options, by name."""


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
        return self.table({name: name for name in self.services}).patterns_for(service)

    def table(self, services: Mapping[str, T], refusals: "Refusals | None" = None) -> RouteTable[T | Redirect]:
        """The route table, which finds values of `services`; these have the names of the configuration's services.

        `refusals` answers for redirects; without it the table can be asked, and nothing can be put through.

        Raises:
            BadRoute: a route makes no sense.
        """
        return make_table(self.routes, services, refusals)
