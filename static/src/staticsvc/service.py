"""The service as Portico runs it: `make_factory`, found by the entry point `portico.services`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from svckit.reactors import Reactor
from svckit.settings import BadOptions, Settings
from svckit.web import GuardedSite
from twisted.internet.interfaces import IProtocolFactory
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from .folder import INDEX, PREFIX, PRIVATE, Folder, PrivateClosed
from .page import FirstPage

__all__ = ["Options", "Protect", "make_factory"]

Protect = Callable[..., IResource]
"""Puts a login before a resource: (resource, folder of authsvc's sockets, reactor, service=our name)."""

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The service's options, with their defaults."""

    root: str = ""
    """Folder of the files under /static/; empty: the example files that come with the service."""
    pages: str = ""
    """Folder with the `index.html` for `/`; empty: the page that comes with the service."""
    listing: bool = False
    """Whether a folder without `index.html` shows what is in it."""


class _Nothing(BytesIO):
    """Takes the body that a request should not have had, and keeps none of it."""

    def write(self, data: Any) -> int:
        return len(data)


class StaticSite(GuardedSite):
    """No request here has a use for a body; none is kept in memory or in a temporary file."""

    def getContentFile(self, length: int | None) -> BytesIO:
        """Called by twisted.web for each request."""
        return _Nothing()


def make_factory(settings: Settings, reactor: Reactor, protect: Protect | None = None) -> IProtocolFactory:
    """The site; `protect` is `svckit.auth.protect` unless given.

    Raises:
        BadOptions: an option is wrong, or names what is not there.
    """
    options = settings.options_as(Options)
    root = _folder(settings, "root", options.root or _examples())
    private = Folder(root, private=True, list_folders=options.listing)
    public = _Tree(Folder(root, list_folders=options.listing))
    public.putChild(PRIVATE, _guarded(private, settings, reactor, protect))
    top = _Tree(Folder(root))
    top.putChild(b"", _first_page(settings, options.pages or str(_HERE / "pages")))
    top.putChild(PREFIX[1:], public)
    return StaticSite(top, reactor)


class _Tree(Resource):
    """Names that lead somewhere of their own, and one resource for all the rest."""

    def __init__(self, rest: Resource) -> None:
        super().__init__()
        self._rest = rest

    def getChild(self, path: bytes, request: Request) -> Resource:
        return self._rest

    def render(self, request: Request) -> Any:
        return self._rest.render(request)


def _guarded(private: Resource, settings: Settings, reactor: Reactor, protect: Protect | None) -> IResource:
    if settings.auth is None:
        return PrivateClosed()
    if protect is None:
        from svckit.auth import protect as by_authsvc  # only where there is one: it brings in all of twisted.cred

        protect = by_authsvc
    return protect(private, settings.auth, reactor, service=settings.service)


def _first_page(settings: Settings, folder: str) -> Resource:
    path = Path(_folder(settings, "pages", folder)) / INDEX.decode()
    try:
        return FirstPage(path)
    except OSError as error:
        raise BadOptions(f"{settings.service}: pages: {path}: expected a file to read: {error.strerror}") from error


def _folder(settings: Settings, option: str, path: str) -> str:
    if not Path(path).is_dir() or not os.access(path, os.R_OK | os.X_OK):
        raise BadOptions(f"{settings.service}: {option}: {path}: expected a folder to read")
    return str(Path(path).absolute())


def _examples() -> str:
    """In a wheel they lie in the package, in a checkout beside the sources."""
    packaged = _HERE / "files"
    return str(packaged if packaged.is_dir() else _HERE.parent.parent / "files")
