"""The service txws: Twisted stream factories, wrapped by txWS, each at a path of its own."""

from typing import Any

from svckit.settings import Settings
from twisted.internet.interfaces import IProtocolFactory, IReactorTime

from .door import DoorFactory
from .login import login_for
from .mounts import load_mounts
from .options import TxwsOptions
from .txws_protocol import WebSocketFactory

__all__ = ["make_factory"]


def make_factory(settings: Settings, reactor: IReactorTime) -> DoorFactory:
    """The service's factory.

    Raises:
        svckit.settings.BadOptions: see `TxwsOptions`.
    """
    options = settings.options_as(TxwsOptions)

    def wrap(named: Any, limits: TxwsOptions) -> WebSocketFactory:
        made = named if IProtocolFactory.providedBy(named) else named() if callable(named) else None
        if not IProtocolFactory.providedBy(made):
            raise TypeError("neither a protocol factory nor what makes one")
        return WebSocketFactory(made, limits, reactor)

    mounts = load_mounts(settings, options, options.mounts, wrap, reactor)
    return DoorFactory(mounts, options, reactor, login_for(settings, mounts, reactor), settings.drain_time)
