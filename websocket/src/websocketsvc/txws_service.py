"""The service txws: Twisted stream factories, wrapped by txWS, each at a path of its own."""

import re
from typing import Any

from svckit.settings import BadOptions, Settings
from twisted.internet.interfaces import IProtocolFactory, IReactorTime

from .door import DoorFactory
from .login import login_for
from .mounts import load_mounts
from .options import TxwsOptions
from .txws_factory import WebSocketFactory

__all__ = ["make_factory"]


def bridge(settings: Settings, listed: dict[str, str] | str) -> dict[str, str | dict[str, object]]:
    """The bridge's mount, if there is to be one.

    Raises:
        svckit.settings.BadOptions: the option `tcp` is malformed.
    """
    pairs = [word.partition("=")[::2] for word in listed.split()] if isinstance(listed, str) else list(listed.items())
    for name, where in pairs:
        if not re.fullmatch(r"[A-Za-z0-9._~-]+", name) or not where:
            raise BadOptions(f"{settings.service}: tcp: expected NAME=HOST:PORT or NAME=unix:PATH, found {name!r}")
    entry: dict[str, object] = {
        "protocol": "websocketsvc.bridge.BridgeFactory",
        "frames": "binary",
        "subprotocols": "binary",  # which noVNC and others ask for
        "options": {"servers": dict(pairs)},
    }
    return {"/ws/tcp/*": entry} if pairs else {}


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

    mounts = load_mounts(settings, options, options.mounts, wrap, reactor, bridge(settings, options.tcp))
    return DoorFactory(mounts, options, reactor, login_for(settings, mounts, reactor), settings.drain_time)
