"""What a daemon runs: the router, with or without the services; one service; the keeper of the ports.

Each is made in two steps. `take` runs as root, where twistd was started as root, and takes what only root may have: the ports.
`start` runs as the daemon's user and makes everything else.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from svckit.entry import find
from svckit.environment import folder_of, settings_from
from svckit.handoff.replica import HandoffReplica
from svckit.reactors import Reactor
from svckit.settings import BadOptions
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger

from .. import balancing, provenance
from ..accesslog import Stream
from ..application import Application
from ..certificates import BadCertificates
from ..config import BadConfig, Config, address
from ..keeper import Keeper, name_of
from ..kept import Kept, Lender
from ..parent import KeeperReader
from .ports import BoundPorts, PassedPorts

__all__ = ["KeeperPart", "Part", "RouterPart", "ServicePart"]

log = Logger()


class Part(Protocol):
    """One of them."""

    drain_time: float
    """Seconds that live connections have to end when it stops."""

    def take(self) -> None:
        """As root, if that is what the process is: take the ports.

        Raises:
            OSError: one cannot be had.
        """

    def start(self, access: Stream) -> None:
        """As the daemon's user: serve. `access` is for the access log.

        Raises:
            OSError, ValueError, LookupError: what is missing or wrong.
        """

    def reload(self) -> None:
        """SIGHUP: read again what can be read again. A bad file is refused, and everything stays."""

    def stop(self) -> "Deferred[object]":
        """Drain."""

    def flush(self) -> None:
        """Write what waits to be written; the process is about to end."""


class RouterPart:
    """The router, with the services in the same process where `state` says where they keep things."""

    _application: Application | None = None
    _ports: Lender

    def __init__(
        self, config: Config, read_again: Callable[[], Config], state: Path | None, keeper: str | None,
        descriptors: list[int], reactor: Reactor,
    ) -> None:  # fmt: skip
        """`keeper` is the address of one that lends the ports; `descriptors` are those that systemd has passed."""
        self._config, self._read_again, self._state, self._reactor = config, read_again, state, reactor
        self._keeper, self._descriptors = keeper, descriptors
        self.drain_time = config.limits.drain_time

    def take(self) -> None:
        """Bind the ports, or find them among those that systemd has passed."""
        if self._descriptors:
            self._ports = PassedPorts.from_descriptors(self._descriptors)
        elif self._keeper is None:
            self._ports = BoundPorts([address(each.address) for each in self._config.listeners])

    def start(self, access: Stream) -> None:
        """Make the router and let it accept."""
        if self._keeper is not None and not self._descriptors:
            self._ports = kept = Kept(self._keeper)
            balancing.agree_on(kept.seed)
            provenance.agree_on(kept.seed)
            kept.watch(self._reactor)
        application = self._application = Application(self._config, self._reactor, self._state, self._ports, access)
        application.privilegedStartService()
        application.startService()

    def reload(self) -> None:
        """Follow the configuration as it is now."""
        assert self._application is not None
        try:
            self._application.reload(self._read_again())
        except (BadConfig, BadOptions, BadCertificates, LookupError, OSError) as error:
            log.error("the configuration in use stays: {why}", why=str(error))
        except Exception:
            log.failure("the configuration in use stays")
        else:
            log.info("the configuration has been read again")

    def stop(self) -> "Deferred[object]":
        """Drain."""
        if self._application is None:
            return succeed(None)
        return maybeDeferred(self._application.stopService)

    def flush(self) -> None:
        """The access log's last lines."""
        if self._application is not None:
            self._application.access.flush()


class ServicePart:
    """One service behind a router that is a process of its own: what `svckit run` runs."""

    def __init__(self, what: str, service: str, environment: Mapping[str, str], reactor: Reactor) -> None:
        """`what` is an installed service's name, or `package.module:function`; `environment` as for `svckit.environment`.

        Raises:
            BadOptions, NoSuchService: a setting is wrong, or there is no such service.
        """
        self._service, self._environment, self._reactor = service, environment, reactor
        self._parts = find(what)
        self.drain_time = settings_from(service, environment).drain_time
        self._parent = MultiService()

    def take(self) -> None:
        """It has no port."""

    def start(self, access: Stream) -> None:
        """Make it, and let routers find it."""
        settings = settings_from(self._service, self._environment)  # anew: the process has another number by now
        if self._parts.make_service is not None:
            self._parent.addService(self._parts.make_service(settings, self._reactor))
        if self._parts.make_factory is not None:
            factory = self._parts.make_factory(settings, self._reactor)
            folder = folder_of(self._service, self._environment)
            self._parent.addService(HandoffReplica(settings, factory, folder, self._reactor))
        self._parent.privilegedStartService()
        self._parent.startService()

    def reload(self) -> None:
        """Nothing can be: a service's settings hold from its start to its end."""
        log.info("SIGHUP: a service has no configuration that could be read again")

    def stop(self) -> "Deferred[object]":
        """Drain."""
        return maybeDeferred(self._parent.stopService)

    def flush(self) -> None:
        """Nothing waits."""


class KeeperPart:
    """The keeper: holds the ports of a configuration, so that the router restarts alone and no connection is refused."""

    drain_time = 0.0
    _reader: KeeperReader | None = None

    def __init__(self, at: str, addresses: list[str], uids: frozenset[int], keep: float, reactor: Reactor) -> None:
        """`at` is where routers find it; `addresses` are bound at once; `keep`: see `portico.keeper`."""
        self._at, self._addresses, self._uids, self._keep, self._reactor = at, addresses, uids, keep, reactor

    def take(self) -> None:
        """Bind the ports."""
        self._ports = BoundPorts([address(each) for each in self._addresses])

    def start(self, access: Stream) -> None:
        """Let routers find it."""
        keeper = Keeper(self._at, self._uids, self._keep, log=_said)
        for each in self._addresses:
            at = address(each)
            keeper.hold(name_of(at), self._ports.borrow(at))
        self._reader = KeeperReader(keeper, self._reactor)
        self._reader.start()

    def reload(self) -> None:
        """Nothing can be: a router asks for the ports that its configuration names."""
        log.info("SIGHUP: the keeper has no configuration that could be read again")

    def stop(self) -> "Deferred[object]":
        """Let go of the ports."""
        if self._reader is not None:
            self._reader.stop()
        return succeed(None)

    def flush(self) -> None:
        """Nothing waits."""


def _said(text: str) -> None:
    log.info("{text}", text=text)
