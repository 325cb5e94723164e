"""The service autobahn: WebSocket protocols written for Autobahn, each at a path of its own."""

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket import USES_NVX
from svckit.settings import Settings
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .autobahn_factory import HardenedFactory
from .door import DoorFactory
from .login import login_for
from .mounts import load_mounts
from .options import AutobahnOptions

__all__ = ["make_factory", "serve"]

log = Logger()


def make_factory(settings: Settings, reactor: IReactorTime) -> DoorFactory:
    """The service's factory.

    Raises:
        svckit.settings.BadOptions: see `AutobahnOptions`.
    """
    return serve(settings, reactor, settings.options_as(AutobahnOptions))


def serve(settings: Settings, reactor: IReactorTime, options: AutobahnOptions) -> DoorFactory:
    """The factory of a service that speaks by Autobahn.

    Raises:
        svckit.settings.BadOptions: as `make_factory`.
    """
    if not USES_NVX:
        log.warn("Autobahn's compiled accelerator (NVX) is missing or switched off: large messages take ten times as long")

    def wrap(named: Any, limits: AutobahnOptions) -> HardenedFactory:
        if not (isinstance(named, type) and issubclass(named, WebSocketServerProtocol)):
            raise TypeError("not a subclass of autobahn.twisted.websocket.WebSocketServerProtocol")
        return HardenedFactory(named, limits, reactor)

    mounts = load_mounts(settings, options, options.mounts, wrap, reactor)
    return DoorFactory(mounts, options, reactor, login_for(settings, mounts, reactor), settings.drain_time)
