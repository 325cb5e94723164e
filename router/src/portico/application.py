"""The router put together from its configuration, as one Twisted service: start, reload, status, drain."""

from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec import convert
from svckit.reactors import Reactor
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from .accesslog import AccessLog, Stream
from .admin import make_site, make_status_site
from .adminport import open_admin
from .arrival import Address
from .assembly import Assembly
from .changes import changed, same_replicas
from .config import Config, address
from .departure import Departure
from .draining import drain
from .entrance import Entrance
from .kept import Lender
from .listener import DEFER_ACCEPT
from .metrics import make_page
from .pipes import Pipes
from .poller import Poller
from .report import Report
from .router import Router
from .service import RoutedService, Target
from .standing import present, standing
from .statussocket import open_status
from .targets.tcp import TcpTarget
from .tls import TlsSession

__all__ = ["Application"]


class Application(MultiService):
    """Entrances, routes, services. With `state` given, the services that are handed connections run in this process."""

    log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Reactor,
        state: Path | None = None,
        kept: Lender | None = None,
        access: Stream | None = None,
    ) -> None:
        """`state` is the folder for what the in-process services keep, and for their sockets; `kept` lends the ports.

        `access` is where the access log goes; standard output unless given.

        Raises:
            LookupError, BadOptions: a service of the configuration cannot be made in this process.
        """
        super().__init__()
        self._config, self._reactor, self._kept = config, reactor, kept
        self._poller, self._pipes = Poller(), Pipes()
        self.access = AccessLog(reactor) if access is None else AccessLog(reactor, access)
        self.access.measures.present = lambda: present(self._route_names, self.report())
        self.router = Router(config.limits, self._poller, reactor, self.access)
        self._assembly = Assembly(self._poller, self._pipes, reactor, self.router, self.access, state, self.status)
        self._services = {name: self._assembly.service(name, config) for name in config.services}
        self._route_names: frozenset[str] = frozenset()
        self._entrances: list[Entrance] = []
        self._operators: list[IListeningPort] = []
        self._left: list[Entrance] = []
        """Entrances of earlier configurations whose port is closed, and whose TLS clients may still be there."""
        self._leaving: list[RoutedService] = []
        for service in self._services.values():
            self._adopt(service.background)
        for name in config.in_process.also if state is not None else ():
            self._adopt(self._assembly.made(name, config.in_process.options.get(name, {}), config)[1])

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, with the ports that the kernel chose for port 0."""
        return [entrance.at for entrance in self._entrances]

    def _adopt(self, background: IService | None) -> None:
        if background is not None:
            background.setServiceParent(self)

    # -- start

    def privilegedStartService(self) -> None:
        """Take the ports, while privileges for low ones are still there.

        Raises:
            OSError, BadCertificates: one cannot be had.
        """
        self._entrances = [self._entrance(index, self._config, {}) for index in range(len(self._config.listeners))]
        super().privilegedStartService()

    def _entrance(self, index: int, config: Config, known: dict[Address, Entrance]) -> Entrance:
        settings = config.listeners[index]
        old = known.pop(address(settings.address), None)
        return Entrance(settings, config.limits, self._poller, self._reactor, self.router, old, self._kept)

    def startService(self) -> None:
        """Find the replicas and accept connections."""
        self._poller.start(self._reactor)
        super().startService()
        for service in self._services.values():
            service.target.start()
        if self._config.admin is not None:
            metrics = make_page(self.access.measures, self.report)
            site = make_site(self.status, lambda: not self.router.draining, metrics, self.drain)
            self._operators = [open_admin(self._config.admin.address, site, self._reactor)]
            self._operators += open_status(self._config.admin.status_folder, make_status_site(self.status), self._reactor)
        self._use(self._config)
        for entrance in self._entrances:
            self._open(entrance)

    def _open(self, entrance: Entrance) -> None:
        entrance.start()
        self.log.info("listening on {host} port {port}", host=entrance.at[0], port=entrance.at[1])

    def _use(self, config: Config) -> None:
        """From now on these routes and limits hold."""
        table = config.table(self._services, self.router)
        self.router.use(table, config.limits)
        self._route_names = frozenset(rule.name for rule in table.rules)
        for entrance in self._entrances:
            entrance.probe(config.limits.probe_after)
            # a kernel that holds silent connections back would keep a route by silence waiting
            entrance.defer(DEFER_ACCEPT if table.shortest_silence is None else 0)

    # -- reload

    def reload(self, config: Config) -> None:
        """Follow a new configuration in place; nothing live is cut. The operators' port stays as it is.

        A service that has changed is made anew, and the old one drains. What cannot be made leaves everything as it was.

        Raises:
            OSError, BadCertificates: a port or a certificate cannot be had.
            LookupError, BadOptions: a service cannot be made in this process.
        """
        if self.router.draining:
            return
        known = {address(entrance.settings.address): entrance for entrance in self._entrances}
        fresh: list[Entrance] = []
        try:
            for index in range(len(config.listeners)):
                fresh.append(self._entrance(index, config, known))
            made = {name: self._assembly.service(name, config) for name in changed(self._config, config)}
        except Exception:
            for entrance in fresh:
                entrance.abandon()
            raise
        old_config, old_services, old_entrances = self._config, self._services, self._entrances
        self._services = {name: made.get(name) or old_services[name] for name in config.services}
        self._config, self._entrances = config, fresh
        for name, service in made.items():
            self._adopt(service.background)
            if name in old_services:
                old = old_services[name].target
                service.target.inherit(old.drained)
                if isinstance(old, TcpTarget) and isinstance(service.target, TcpTarget):
                    service.target.succeed(old)
            service.target.start()
        for service in self._services.values():
            service.follow(config.limits, config.patterns_for(service.name))
        self._use(config)
        for entrance in fresh:
            self._open(entrance)
        kept = [entrance.sessions for entrance in fresh]
        for entrance in old_entrances:
            entrance.leave(fresh)
            if not any(entrance.sessions is sessions for sessions in kept):
                self._left.append(entrance)
        self._left = [entrance for entrance in self._left if entrance.sessions]
        for name, service in old_services.items():
            if self._services.get(name) is not service:
                kept_on = same_replicas(old_config.services[name], config.services.get(name))
                self._let_go(service, config.patterns_for(name) if kept_on else ())

    def _let_go(self, service: RoutedService, patterns: tuple[tuple[str, bool], ...]) -> None:
        """The configuration has this service no more; `patterns` is what its replicas are told."""
        self._leaving.append(service)
        service.retire(patterns, self.router.reroute).addCallback(self._gone, service)

    def _gone(self, _: object, service: RoutedService) -> None:
        self._leaving.remove(service)
        if service.background is not None:
            service.background.disownServiceParent()

    # -- status

    def status(self) -> dict[str, object]:
        """For `/status`."""
        return standing(self._config, self.router, self.addresses, self._services, len(self._tls_sessions))

    def drain(self, service: str, replica: str, drained: bool) -> None:
        """An operator wants no new connections to go to a replica, or wants them to go there again.

        Raises:
            NotThere, Undrainable: the text names what is wrong.
        """
        drain(self._services, service, replica, drained)

    def inherit(self, drained: Mapping[str, Collection[str]]) -> None:
        """Before the start: what is drained in the routers beside this one, by service, as `/status` has it."""
        for name, service in self._services.items():
            service.target.inherit(drained.get(name, ()))

    def report(self) -> Report:
        """The same, typed."""
        return convert(self.status(), Report)

    # -- stop

    def stopService(self) -> "Deferred[None]":
        """Drain: close the ports, let each target finish, stop the background services, write the last log lines."""
        self.router.draining = True
        self.router.places.lift()
        for entrance in self._entrances:
            entrance.stop()
        departure = Departure(self.router.patience, self._reactor, lambda: self._targets, lambda: self._tls_sessions)
        return departure.depart(self._config.limits.drain_time).addCallback(self._stop_rest)

    @property
    def _targets(self) -> list[Target]:
        return [service.target for service in (*self._services.values(), *self._leaving)]

    @property
    def _tls_sessions(self) -> list[TlsSession]:
        return [session for entrance in (*self._entrances, *self._left) for session in entrance.sessions]

    def _stop_rest(self, _: object) -> "Deferred[None]":
        for target in self._targets:
            if isinstance(target, TcpTarget):
                target.close()
        self.router.patience.close()
        for service in self._services.values():
            service.refuse_queued()
        stopped = [maybeDeferred(super().stopService), *(maybeDeferred(port.stopListening) for port in self._operators)]
        return DeferredList(stopped, consumeErrors=True).addCallback(self._stopped)

    def _stopped(self, _: object) -> None:
        for entrance in (*self._entrances, *self._left):
            entrance.close()
        self.access.flush()
        self._poller.stop(self._reactor)
        self._pipes.close()
