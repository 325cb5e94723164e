"""A deployment of either kind, and what its router holds."""

import socket

from .deployment import Deployment
from .wires import Inbox

LISTENERS = """
listeners = [
  {address = "127.0.0.1:0"},
  {address = "127.0.0.2:0", tls = {certificate = "FOLDER/one.pem"}},
  {address = "127.0.0.3:0", proxy = ["127.0.0.0/8"]},
]
routes = [
  {prefix = "/a/", service = "alpha"}, {prefix = "/b/", service = "beta"},
  {prefix = "/away/", service = "away"}, {prefix = "/gone/", service = "gone"}, {prefix = "/tls/", redirect = "https"},
]
[services.gone]
target = "tcp"
address = "127.0.0.1:1"
[services.away]
target = "handoff"
folder = "FOLDER/away"
[limits]
drain_time = 3.0
head_deadline = 6.0
proxy_deadline = 2.0
waiting = 3
tls_sessions = 2
queue_timeout = 4.0
queue_size = 2
%s
"""
PLAIN, TLS, PROXY = range(3)
SOURCE = ("203.0.113.9", 40_000)
HANDOFF = '[services.{0}]\ntarget = "handoff"\nfolder = "FOLDER/{0}"\n'
TCP = '[services.{0}]\ntarget = "tcp"\naddress = "127.0.0.1:1"\n'


def configuration(kind: str, limits: str = "") -> str:
    return LISTENERS % limits + "".join((TCP if kind == "tcp" else HANDOFF).format(name) for name in ("alpha", "beta"))


class Counted:
    """A deployment, and what its router holds."""

    def __init__(self, deployment: Deployment, kind: str) -> None:
        self.deployment, self.kind, self.reactor = deployment, kind, deployment.reactor
        self.places = deployment.application.router.places
        if kind == "handoff":
            for name in ("alpha", "beta"):
                deployment.replica(name)
        self.servers = {name: deployment.server(name) for name in ("alpha", "beta") if kind == "tcp"}
        self._find_servers()

    def _find_servers(self) -> None:
        for name, at in self.servers.items():
            self.deployment.application._services[name].target.replicas.found([at])  # type: ignore[attr-defined]

    def reload(self, limits: str = "") -> None:
        self.deployment.reload(configuration(self.kind, limits))
        self._find_servers()

    def connect(self, data: bytes = b"", listener: int = PLAIN) -> Inbox:
        inbox = Inbox(socket.create_connection(self.deployment.application.addresses[listener], timeout=5))
        inbox.sock.send(data)
        return inbox

    def arrives(self, data: bytes, listener: int = PLAIN) -> Inbox:
        """A connection that the router holds from now on."""
        before = self.places.held
        client = self.connect(data, listener)
        self.reactor.until(lambda: self.places.held == before + 1)
        return client

    def ends(self, client: Inbox, status: int | None = None) -> None:
        """The router ends it, with this answer or none; then the client does."""
        self.reactor.until(client.has_ended)
        assert client.data[9:12] == (b"" if status is None else str(status).encode()), client.data
        client.sock.close()

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds * 10)):
            self.reactor.advance(0.1)
        self.reactor.settle()

    def nothing_is_left(self) -> None:
        self.reactor.until(lambda: not self.places.held)
        assert not self.places._clients
