"""The service autobahn: WebSocket protocols written for Autobahn, each at a path of its own."""

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket import USES_NVX
from svckit.settings import Settings
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .autobahn_protocol import HardenedFactory
from .door import DoorFactory
from .login import login_for
from .mounts import load_mounts
from .options import AutobahnOptions

__all__ = ["make_factory"]

log = Logger()


def make_factory(settings: Settings, reactor: IReactorTime) -> DoorFactory:
    """The service's factory.

    Raises:
        svckit.settings.BadOptions: see `AutobahnOptions`.
    """
    options = settings.options_as(AutobahnOptions)
    if not USES_NVX:
        log.warn("Autobahn's compiled accelerator (NVX) is missing or switched off: large messages take ten times as long")

    def wrap(named: object) -> HardenedFactory:
        if not (isinstance(named, type) and issubclass(named, WebSocketServerProtocol)):
            raise TypeError("not a subclass of autobahn.twisted.websocket.WebSocketServerProtocol")
        return HardenedFactory(named, options, reactor)

    mounts = load_mounts(settings, options, options.mounts, wrap)
    return DoorFactory(mounts, options, reactor, login_for(settings, mounts, reactor))
