"""Portico's commands of twistd: `twistd portico`, `portico-router`, `portico-service`, `portico-keeper`."""

from importlib import import_module

from twisted.application.service import IServiceMaker
from twisted.plugin import IPlugin
from zope.interface import implementer

__all__ = ["portico", "portico_keeper", "portico_router", "portico_service"]


@implementer(IServiceMaker, IPlugin)
class _Maker:
    """Imports Portico when it is wanted: twistd loads the plugins of all packages, whichever one it is to run."""

    def __init__(self, tapname: str, description: str, options: str) -> None:
        self.tapname, self.description, self._options = tapname, description, options

    @property
    def options(self):  # type: ignore[no-untyped-def]
        return getattr(import_module("portico.daemon.options"), self._options)

    def makeService(self, options):  # type: ignore[no-untyped-def]
        return import_module("portico.daemon.maker").make(options)


portico = _Maker("portico", "Portico: router and services in one process.", "PorticoOptions")
portico_router = _Maker("portico-router", "Portico: the router alone.", "RouterOptions")
portico_service = _Maker("portico-service", "Portico: one service behind a router.", "ServiceOptions")
portico_keeper = _Maker("portico-keeper", "Portico: holds the router's ports.", "KeeperOptions")
