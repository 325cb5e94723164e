"""The service rooms: the same as autobahn, with rooms mounted; of its own, as all who want a room go to one replica of it."""

from svckit.settings import Settings
from twisted.internet.interfaces import IReactorTime

from .autobahn_service import serve
from .door import DoorFactory
from .options import RoomsOptions

__all__ = ["make_factory"]


def make_factory(settings: Settings, reactor: IReactorTime) -> DoorFactory:
    """The service's factory.

    Raises:
        svckit.settings.BadOptions: see `RoomsOptions`.
    """
    return serve(settings, reactor, settings.options_as(RoomsOptions))
