"""The service as Portico runs it: `make_factory`, found by the entry point `portico.services`."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from svckit.reactors import Reactor
from svckit.routemap import RouteMap
from svckit.settings import BadOptions, Settings
from svckit.web import GuardedSite
from twisted.internet.interfaces import IProtocolFactory
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from . import options as opt
from .answers import refuse
from .files import Files
from .folder import Folder, PrivateClosed
from .hot import Hot
from .options import Options
from .page import FirstPage
from .protection import Protection
from .quick import QuickChannel
from .shared import elsewhere_of
from .visitor import PLACE, Visitor, is_quiet

__all__ = ["Options", "Protect", "make_factory"]

Protect = Callable[..., IResource]
"""Puts a login before a resource: (resource, folder of authsvc's sockets, reactor, service=our name)."""

_HERE = Path(__file__).parent


class _Nothing(BytesIO):
    """Takes the body that a request should not have had, and keeps none of it."""

    def write(self, data: Any) -> int:
        return len(data)


class StaticSite(GuardedSite):
    """No request here has a use for a body; none is kept in memory or in a temporary file."""

    protocol = QuickChannel

    def __init__(self, resource: IResource, reactor: Reactor, hot: Hot, log_requests: bool = True) -> None:
        super().__init__(resource, reactor)
        self.hot = hot
        if not log_requests:
            self.log = _say_nothing  # type: ignore[method-assign]

    def stopFactory(self) -> None:
        super().stopFactory()
        self.hot.opened.end()

    def getContentFile(self, length: int | None) -> BytesIO:
        """Called by twisted.web for each request."""
        return _Nothing()


def _say_nothing(request: Any) -> None:
    """For those who do not want a line for each request."""


def make_factory(settings: Settings, reactor: Reactor, protect: Protect | None = None) -> IProtocolFactory:
    """The site; `protect` is `svckit.auth.protect` unless given.

    Raises:
        BadOptions: an option is wrong, or names what is not there.
    """
    options, name = settings.options_as(Options), settings.service
    hot = Hot(opt.number(name, "hot_files", options.hot_files), reactor)
    protected = opt.prefixes(name, "protected", options.protected)
    protection = Protection(protected)
    public: list[tuple[str, IResource]] = []
    private: list[tuple[str, IResource]] = []
    roots = {
        prefix: opt.folder(name, "root" if prefix == opt.PREFIX else "roots", path or _examples())
        for prefix, path in opt.mapping(name, options).items()
    }
    fallbacks = opt.fallbacks(name, options, roots)
    elsewhere = elsewhere_of(roots, protected)
    for prefix, root in roots.items():
        files = _files(name, options, prefix, root, fallbacks)
        public.append((prefix, Folder(files, protection, hot=hot, elsewhere=elsewhere[prefix])))
        private.append((prefix, Folder(files, protection, private=True)))
    private.append((f"={PLACE}", Visitor()))
    guarded = _guarded(_Choice(RouteMap(private)), settings, reactor, protect)
    if "/" not in dict(public):
        public.append(("=/", _first_page(settings, options.pages or str(_HERE / "pages"))))
    top = _Sides(protection, guarded, _Choice(RouteMap(public)))
    return StaticSite(top, reactor, hot, options.log_requests)


def _files(service: str, options: Options, prefix: str, root: str, fallbacks: list[str]) -> Files:
    index = opt.names(service, "index", options.index)
    (not_found,) = opt.names(service, "not_found", [options.not_found])
    return Files(
        root=root,
        prefix=prefix.rstrip("/").encode("utf-8"),
        index=tuple(index),
        clean=options.clean,
        listing=options.listing,
        fallbacks=tuple(one.encode("utf-8") for one in fallbacks if one.startswith(prefix)),
        not_found=not_found,
        precompressed=options.precompressed,
        cache=opt.rules(service, options.cache),
    )


class _Choice(Resource):
    """The resource for a path; 404 where there is none. A leaf, as the path in its normal form is all that counts."""

    isLeaf = True

    def __init__(self, resources: RouteMap[IResource]) -> None:
        super().__init__()
        self._resources = resources

    def render(self, request: Request) -> Any:
        found = self._resources.find(request.path)
        if found is None:
            request.setHeader(b"X-Content-Type-Options", b"nosniff")
            return refuse(request, 404)
        return found.render(request)


class _Sides(Resource):
    """On which side of the login a path is. Who is logged in is on both: it may be asked without asking for a login."""

    isLeaf = True

    def __init__(self, protection: Protection, private: IResource, public: IResource) -> None:
        super().__init__()
        self._protection, self._private, self._public = protection, private, public

    def render(self, request: Request) -> Any:
        if request.path == PLACE.encode():
            return (Visitor(self._private) if is_quiet(request) else self._private).render(request)
        return (self._private if self._protection.asks(request.path) else self._public).render(request)


def _guarded(private: Resource, settings: Settings, reactor: Reactor, protect: Protect | None) -> IResource:
    if settings.auth is None:
        return PrivateClosed()
    if protect is None:
        from svckit.auth import protect as by_authsvc  # only where there is one: it brings in all of twisted.cred

        protect = by_authsvc
    return protect(private, settings.auth, reactor, service=settings.service)


def _first_page(settings: Settings, folder: str) -> Resource:
    path = Path(opt.folder(settings.service, "pages", folder)) / "index.html"
    try:
        return FirstPage(path)
    except OSError as error:
        raise BadOptions(f"{settings.service}: pages: {path}: expected a file to read: {error.strerror}") from error


def _examples() -> str:
    """In a wheel they lie in the package, in a checkout beside the sources."""
    packaged = _HERE / "files"
    return str(packaged if packaged.is_dir() else _HERE.parent.parent / "files")
