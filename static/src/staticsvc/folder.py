"""The files below one root as a resource."""

import os
from urllib.parse import quote, unquote

from svckit.sendfile import Part, answer, send_parts
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from . import listing
from .answers import METHODS, allowed, moved, refuse
from .codings import accepted
from .files import Files, Leads, Listed, Moved
from .hot import Hot
from .protection import Protection, address_of, other_names
from .shared import Elsewhere
from .walk import Absent, is_folder, segments_of

__all__ = ["Folder", "PrivateClosed"]


class Folder(Resource):
    """The files of one root; of protected paths and all other ones, it answers for one kind only.

    It looks at the request's normalised path alone, so there is one opinion on what a request means. That includes which side
    of the login it is on: a mistake in the tree of resources cannot open what is protected.
    """

    isLeaf = True

    def __init__(
        self,
        files: Files,
        protection: Protection,
        private: bool = False,
        hot: Hot | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """`hot` keeps the answers that may be given again without asking here; only where no login is asked for.

        `elsewhere` knows what of these files asks for a login below another root.
        """
        super().__init__()
        self._files, self._protection, self._private = files, protection, private
        self._elsewhere = elsewhere or Elsewhere()
        self._hot = None if private else hot

    def render(self, request: Request) -> int:
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        if request.method == b"OPTIONS":
            return allowed(request)
        if request.method not in (b"GET", b"HEAD"):
            return refuse(request, 405, (b"Allow", METHODS))
        try:
            return self._serve(request)
        except Absent:
            return self._absent(request)

    def _serve(self, request: Request) -> int:
        path = request.path
        if self._protection.asks(path) != self._private or (not self._private and self._protection.resembles(path)):
            raise Absent
        wanted = request.requestHeaders.getRawHeaders(b"Accept-Encoding")
        codings = accepted(b",".join(wanted)) if wanted else ()
        leads = self._files.find(path, codings)
        match leads:
            case Moved():
                return moved(request, _with_slash(request))
            case Listed(folder):
                if not self._private and (address := self._protected_folder(path)):
                    os.close(folder.fd)
                    return self._to_the_login(request, address)
                return _send_listing(request, listing.render(folder, unquote(path.decode("utf-8", "replace"))))
            case Leads():
                if not self._private and (address := self._protected_name(leads)):
                    os.close(leads.fd)
                    return self._to_the_login(request, address)
                self._set_headers(request, leads)
                if self._hot is not None:
                    self._hot.keep((path, codings), self._files.root, leads)
                answer(request, leads.fd, leads.about, leads.etag)
        return NOT_DONE_YET

    def _protected_name(self, leads: Leads) -> bytes | None:
        """An address that asks for a login and means the same file, where there is one."""
        files = self._files
        names = other_names(leads.path, files.clean, lambda place: is_folder(files.root, place))
        addresses = (self._protected_place(place) for place in (leads.path, *names))
        try:
            return next((address for address in addresses if address), None)
        except OSError:
            os.close(leads.fd)
            raise

    def _protected_folder(self, path: bytes) -> bytes | None:
        """The same for a folder that is to be listed."""
        return self._protected_place(b"".join(name + b"/" for name in segments_of(path[len(self._files.prefix) :])))

    def _protected_place(self, place: bytes) -> bytes | None:
        address = address_of(self._files.prefix, place)
        return address if self._protection.resembles(address) else self._elsewhere.protected(place)

    def _to_the_login(self, request: Request, address: bytes) -> int:
        if not self._protection.asks(address):
            raise Absent
        request.setHeader(b"Cache-Control", b"no-store")
        return moved(request, quote(address, safe="/%").encode("ascii"), 302)

    def _set_headers(self, request: Request, leads: Leads) -> None:
        for name, value in leads.headers:
            request.setHeader(name, value)
        if self._private:
            request.setHeader(b"Cache-Control", b"private, no-cache")

    def _absent(self, request: Request) -> int:
        """404, with the root's own page for it where there is one; its validators would be another resource's."""
        page = self._files.error_page()
        if page is not None and not self._private and self._protected_name(page):
            os.close(page.fd)
            page = None
        if page is None:
            return refuse(request, 404)
        request.setResponseCode(404)
        for name, value in page.headers:
            request.setHeader(name, value)
        request.setHeader(b"Cache-Control", b"no-cache")
        size = page.about.st_size
        request.setHeader(b"Content-Length", b"%d" % size)
        if request.method == b"HEAD" or size == 0:
            os.close(page.fd)
            request.finish()
        else:
            send_parts(request, page.fd, [Part(b"", 0, size)])
        return NOT_DONE_YET


def _send_listing(request: Request, body: bytes) -> int:
    request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
    request.setHeader(b"Content-Security-Policy", listing.POLICY)
    request.setHeader(b"Cache-Control", b"no-cache")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    request.write(body)
    request.finish()
    return NOT_DONE_YET


def _with_slash(request: Request) -> bytes:
    """The folder's proper address. The normal form begins with one slash and our prefix, so it never names another host."""
    _, mark, query = request.uri.partition(b"?")
    return quote(request.path, safe="/%").encode("ascii") + b"/" + mark + query


class PrivateClosed(Resource):
    """Stands for the protected paths where nobody could check a login: closed, never open."""

    isLeaf = True

    def render(self, request: Request) -> int:
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        return refuse(request, 503, (b"Retry-After", b"60"))
