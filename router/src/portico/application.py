"""The router put together from its configuration, as one Twisted service: start, status, drain."""

from pathlib import Path

from svckit.entry import find
from svckit.environment import folder_of
from svckit.lease import Ownership
from svckit.reactors import Reactor
from svckit.settings import Settings
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger

from .accesslog import AccessLog
from .admin import make_site
from .arrival import Address
from .config import Config, Handoff, Tcp, address
from .listener import Listener
from .poller import Poller
from .pump import Pipes
from .router import Router
from .service import RoutedService, Target
from .targets.handoff import HandoffTarget
from .targets.inprocess import InProcessTarget
from .targets.tcp import TcpTarget

__all__ = ["Application"]


class Application(MultiService):
    """Listeners, routes, services. With `state` given, the services that are handed connections run in this process."""

    log = Logger()

    def __init__(self, config: Config, reactor: Reactor, state: Path | None = None) -> None:
        """`state` is the folder for what the in-process services keep, and for their sockets.

        Raises:
            NoSuchService, BadOptions: a service of the configuration cannot be made in this process.
        """
        super().__init__()
        self._config, self._reactor, self._state = config, reactor, state
        self._poller, self._pipes = Poller(), Pipes()
        self.access = AccessLog(reactor)
        self.router = Router(config.limits, self._poller, reactor, self.access)
        self._services = {name: self._make_service(name) for name in config.services}
        self.router.use(config.table(self._services))
        self._listeners: list[Listener] = []
        self._admin: IListeningPort | None = None
        for name in config.in_process.also if state is not None else ():
            self._add_background(name, self._settings(name, {}))

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, with the ports that the kernel chose for port 0."""
        return [listener.at for listener in self._listeners]

    # -- making the parts

    def _make_service(self, name: str) -> RoutedService:
        service = RoutedService(name, self._config.limits, self._reactor, self.router)
        service.target = self._make_target(service)
        return service

    def _make_target(self, service: RoutedService) -> Target:
        settings, limits, reactor = self._config.services[service.name], self._config.limits, self._reactor
        patterns = self._config.patterns_for(service.name)
        if isinstance(settings, Tcp):
            return TcpTarget(
                service,
                settings,
                limits,
                self._poller,
                self._pipes,
                reactor,
                self.router,
                self.access,
                Ownership(patterns),
                self.router.readmit,
            )
        if self._state is not None:
            ownership, factory = Ownership(patterns), self._make_factory(service.name, settings)
            return InProcessTarget(factory, ownership, reactor, self.router.readmit, self.access, limits.drain_time)
        folder = Path(settings.folder) if settings.folder else folder_of(service.name)
        return HandoffTarget(
            service, folder, patterns, limits.take_timeout, self._poller, reactor, self.router.readmit, self.access
        )

    def _make_factory(self, name: str, settings: Handoff) -> IProtocolFactory:
        made = self._settings(name, settings.options)
        factory = self._add_background(name, made)
        if factory is None:
            raise LookupError(f"{name}: has no make_factory, so nothing can be routed to it")
        return factory

    def _settings(self, name: str, options: dict[str, object]) -> Settings:
        assert self._state is not None
        auth = self._state / "run" / "authsvc" if "authsvc" in self._config.in_process.also else None
        return Settings(
            service=name,
            replica="in-process",
            state=self._state / name,
            auth=auth,
            drain_time=self._config.limits.drain_time,
            options=options,
        )

    def _add_background(self, name: str, settings: Settings) -> IProtocolFactory | None:
        parts = find(name)
        if parts.make_service is not None:
            self.addService(parts.make_service(settings, self._reactor))
        return None if parts.make_factory is None else parts.make_factory(settings, self._reactor)

    # -- start

    def privilegedStartService(self) -> None:
        """Take the ports, while privileges for low ones are still there.

        Raises:
            OSError: one cannot be had.
        """
        limits = self._config.limits
        for listener in self._config.listeners:
            at = address(listener.address)
            self._listeners.append(Listener(at, limits.head_size, self._poller, self._reactor, self.router.admit))
        super().privilegedStartService()

    def startService(self) -> None:
        """Find the replicas and accept connections."""
        self._poller.start(self._reactor)
        super().startService()
        for service in self._services.values():
            service.target.start()
        if self._config.admin is not None:
            host, port = address(self._config.admin.address)
            site = make_site(self.status, lambda: not self.router.draining)
            self._admin = self._reactor.listenTCP(port, site, interface=host)  # type: ignore[arg-type]
        for listener in self._listeners:
            listener.start()
            self.log.info("listening on {host} port {port}", host=listener.at[0], port=listener.at[1])

    # -- status

    def status(self) -> dict[str, object]:
        """For `/status`."""
        services = {
            name: {**service.target.status(), "queued": service.queued} for name, service in sorted(self._services.items())
        }
        return {
            "listeners": ["{}:{}".format(*at) for at in self.addresses],
            "draining": self.router.draining,
            "waiting": len(self.router.patience),
            "counts": dict(self.router.counts),
            "routes": [{"pattern": route.pattern, "service": route.service} for route in self._config.routes],
            "services": services,
        }

    # -- stop

    def stopService(self) -> "Deferred[None]":
        """Drain: close the ports, let each target finish, stop the background services, write the last log lines."""
        self.router.draining = True
        for listener in self._listeners:
            listener.stop()
        self.router.patience.close_idle()
        drained = DeferredList([service.target.stop() for service in self._services.values()], consumeErrors=True)
        return drained.addCallback(self._stop_rest)

    def _stop_rest(self, _: object) -> "Deferred[None]":
        for service in self._services.values():
            service.refuse_queued()
        stopped = [maybeDeferred(super().stopService)]
        if self._admin is not None:
            stopped.append(maybeDeferred(self._admin.stopListening))
        return DeferredList(stopped, consumeErrors=True).addCallback(self._stopped)

    def _stopped(self, _: object) -> None:
        self.access.flush()
        self._poller.stop(self._reactor)
        self._pipes.close()
