"""Makes the services of a configuration: for each a queue and the target that it names."""

from collections.abc import Callable, Mapping
from pathlib import Path

from svckit.entry import find
from svckit.environment import folder_of
from svckit.lease import Ownership
from svckit.reactors import Reactor
from svckit.settings import Settings
from twisted.application.service import IService
from twisted.internet.interfaces import IProtocolFactory

from .accesslog import AccessLog
from .balancing import Balancer
from .config import Config, Handoff, Tcp
from .pipes import Pipes
from .poller import Poller
from .router import Router
from .service import RoutedService, Target
from .targets.handoff import HandoffTarget
from .targets.inprocess import InProcessTarget
from .targets.resolver import Resolver
from .targets.tcp import TcpTarget

__all__ = ["Assembly"]


class Assembly:
    """What all services are made with."""

    def __init__(
        self,
        poller: Poller,
        pipes: Pipes,
        reactor: Reactor,
        router: Router,
        access: AccessLog,
        state: Path | None,
        status: Callable[[], Mapping[str, object]],
    ) -> None:
        """`state`: see `portico.application.Application`; `status` is its own."""
        self._poller, self._pipes, self._reactor = poller, pipes, reactor
        self._router, self._access, self._state = router, access, state
        self._status = status
        self._resolver = Resolver(reactor)

    def service(self, name: str, config: Config) -> RoutedService:
        """The service called `name`, not yet started.

        Raises:
            LookupError, BadOptions: it cannot be made in this process.
        """
        service = RoutedService(name, config.limits, self._reactor, self._router)
        service.target = self._target(service, config)
        service.target.heed(config.limits)
        return service

    def _target(self, service: RoutedService, config: Config) -> Target:
        settings, limits = config.services[service.name], config.limits
        patterns, readmit = config.patterns_for(service.name), self._router.readmit
        if isinstance(settings, Tcp):
            return TcpTarget(
                service,
                settings,
                limits,
                self._poller,
                self._pipes,
                self._reactor,
                self._router,
                self._access,
                Ownership(patterns),
                readmit,
                self._resolver,
            )
        if self._state is not None:
            factory, service.background = self._parts(service.name, settings, config)
            return InProcessTarget(factory, Ownership(patterns), self._reactor, readmit, self._access, limits.drain_time)
        folder = Path(settings.folder) if settings.folder else folder_of(service.name)
        timeout = limits.take_timeout
        return HandoffTarget(
            service,
            folder,
            patterns,
            timeout,
            self._poller,
            self._reactor,
            readmit,
            self._access,
            Balancer(settings),
            settings,
        )

    def _parts(self, name: str, settings: Handoff, config: Config) -> tuple[IProtocolFactory, IService | None]:
        factory, background = self.made(name, settings.options, config)
        if factory is None:
            raise LookupError(f"{name}: has no make_factory, so nothing can be routed to it")
        return factory, background

    def made(self, name: str, options: dict[str, object], config: Config) -> tuple[IProtocolFactory | None, IService | None]:
        """Make an installed service in this process: what it serves, and what it does in the background, not yet started."""
        assert self._state is not None
        auth = self._state / "run" / "authsvc" if "authsvc" in config.in_process.also else None
        settings = Settings(
            service=name,
            replica="in-process",
            state=self._state / name,
            auth=auth,
            drain_time=config.limits.drain_time,
            options=options,
            status=self._status,
        )
        parts = find(name)
        background = None if parts.make_service is None else parts.make_service(settings, self._reactor)
        return (None if parts.make_factory is None else parts.make_factory(settings, self._reactor)), background
