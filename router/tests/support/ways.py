"""A router with two services that work, put through by one kind of target."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

from portico.arrival import Arrival
from portico.balancing import Balancer
from portico.config import Handoff, Limits, Tcp
from portico.core.rule import Rule
from portico.core.table import RouteTable
from portico.pipes import Pipes
from portico.poller import Poller
from portico.router import Router
from portico.service import RoutedService
from portico.targets.handoff import SCAN_INTERVAL, HandoffTarget
from portico.targets.inprocess import InProcessTarget
from portico.targets.tcp import TcpTarget
from svckit.handoff.replica import HandoffReplica
from svckit.lease import Ownership
from svckit.settings import Settings
from svckit.web import GuardedSite
from twisted.internet.interfaces import IProtocolFactory

from .echo import EchoFactory, EchoThreads, Page
from .reactor import HandReactor
from .wires import LISTENER, Inbox, Logged, as_reactor, inline_resolver, tcp_pair

LIMITS = Limits(queue_timeout=5.0, drain_time=8.0, take_timeout=2.0)
PREFIXES = (("/a/", "alpha"), ("/b/", "beta"))
HEAD = b"GET /a/x HTTP/1.1\r\nHost: h\r\n\r\n"


# -- the parts of the router around a target


class Ways(ABC):
    """A router with two services, put through by one kind of target."""

    kind = how = ""
    promises_address = True
    holds_connections = True
    hands_back = True

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> None:
        self.hands, self.reactor, self.poller, self.logged, self.folder = reactor, as_reactor(reactor), poller, logged, folder
        self.router = Router(LIMITS, poller, self.reactor, logged.log)
        self.services = {name: RoutedService(name, LIMITS, self.reactor, self.router) for _, name in PREFIXES}
        self.router.use(RouteTable(Rule(self.services[name], pattern=prefix) for prefix, name in PREFIXES), LIMITS)
        self.closers: list[Callable[[], object]] = []

    def patterns(self, name: str) -> tuple[tuple[str, bool], ...]:
        return tuple((prefix, owner == name) for prefix, owner in PREFIXES)

    @abstractmethod
    def serve(self, name: str, http: bool = False) -> RoutedService:
        """Make one of the services work."""

    def factory(self, name: str, http: bool) -> IProtocolFactory:
        return GuardedSite(Page(name), self.reactor) if http else EchoFactory(name)

    def connect(self, preface: bytes, seen: tuple[str, int] | None = None) -> Inbox:
        """A client whose first bytes are `preface`; `seen` is its address, where it is to be another than it is."""
        client, ours = tcp_pair()
        arrival = Arrival(ours, seen or client.getsockname(), LISTENER, self.reactor.seconds(), preface)
        self.router.admit(arrival)
        self.closers.append(client.close)
        return Inbox(client)

    def until(self, inbox: Inbox, text: bytes) -> bytes:
        self.hands.until(inbox.holds(text))
        return inbox.data

    def close(self) -> None:
        for close in reversed(self.closers):
            close()
        for name in self.services:
            service = self.services[name]
            if hasattr(service, "target"):
                service.target.stop()
        self.hands.settle()
        self.hands.pump([1.0] * 15)
        self.hands.settle()


class InProcessWays(Ways):
    kind = "in-process"
    how = "in process"

    def serve(self, name: str, http: bool = False) -> RoutedService:
        service = self.services[name]
        ownership = Ownership(self.patterns(name))
        service.target = InProcessTarget(
            self.factory(name, http), ownership, self.reactor, self.router.readmit, self.logged.log, LIMITS.drain_time
        )
        service.target.start()
        return service


class HandoffWays(Ways):
    kind = "handoff"
    how = "handed over"
    holds_connections = False

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> None:
        super().__init__(reactor, poller, logged, folder)
        self.replicas: list[HandoffReplica] = []

    def serve(self, name: str, http: bool = False) -> RoutedService:
        service = self.target_of(name)
        self.replica(name, "one", http)
        return service

    def target_of(self, name: str) -> RoutedService:
        service = self.services[name]
        service.target = HandoffTarget(
            service,
            self.folder / name,
            self.patterns(name),
            LIMITS.take_timeout,
            self.poller,
            self.reactor,
            self.router.readmit,
            self.logged.log,
            Balancer(Handoff()),
        )
        service.target.start()
        return service

    def replica(self, name: str, replica: str, http: bool = False) -> HandoffReplica:
        settings = Settings(service=name, replica=replica, state=self.folder, drain_time=LIMITS.drain_time)
        made = HandoffReplica(settings, self.factory(f"{name}", http), self.folder / name, self.reactor)
        made.startService()
        self.replicas.append(made)
        self.hands.advance(SCAN_INTERVAL)
        self.hands.settle()
        return made

    def close(self) -> None:
        for replica in self.replicas:
            replica.stopService()
        super().close()


class TcpWays(Ways):
    kind = "tcp"
    how = "tcp"
    promises_address = False
    hands_back = False

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> None:
        super().__init__(reactor, poller, logged, folder)
        self.pipes = Pipes()
        self.servers: list[EchoThreads] = []

    def serve(self, name: str, http: bool = False) -> RoutedService:
        server = self.server(name)
        return self.target_of(name, Tcp("{}:{}".format(*server.at), keepalive="pin"))

    def server(self, name: str, host: str = "127.0.0.1", port: int = 0) -> EchoThreads:
        server = EchoThreads(name, host, port)
        self.closers.append(server.end)
        self.servers.append(server)
        return server

    def target_of(self, name: str, settings: Tcp, limits: Limits = LIMITS) -> RoutedService:
        service = self.services[name]
        service.target = TcpTarget(
            service,
            settings,
            limits,
            self.poller,
            self.pipes,
            self.reactor,
            self.router,
            self.logged.log,
            Ownership(self.patterns(name)),
            self.router.readmit,
            inline_resolver(self.reactor),
        )
        service.target.start()
        return service

    def close(self) -> None:
        super().close()
        self.pipes.close()
        for server in self.servers:
            server.join()


def running(kind: type[Ways], reactor: HandReactor, poller: Poller, logged: Logged, folder: Path) -> Iterator[Ways]:
    made = kind(reactor, poller, logged, folder)
    yield made
    made.close()
    assert len(poller) == 0, "the router still watches something"
    assert reactor.readers == {poller}


# -- all three


def open_of(service: RoutedService) -> list[object]:
    replicas = service.target.status()["replicas"]
    assert isinstance(replicas, list)
    return [replica["open"] for replica in replicas]
