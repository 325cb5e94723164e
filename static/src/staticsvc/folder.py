"""A folder of files as a resource."""

import os
from urllib.parse import quote, unquote

from svckit.sendfile import answer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from . import listing
from .answers import METHODS, allowed, moved, refuse
from .types import content_type
from .walk import Absent, Found, open_below, open_inside, segments_of

__all__ = ["INDEX", "PREFIX", "PRIVATE", "Folder", "PrivateClosed"]

PREFIX = b"/static"
"""Where the router has put the service."""
PRIVATE = b"private"
"""The folder below the root that asks for a login."""
INDEX = b"index.html"


class Folder(Resource):
    """The files below `root`; of the protected folder and all other ones, it answers for one kind only.

    It looks at the request's normalised path alone, not at how twisted.web has cut it up, so there is one opinion on what a
    request means. That includes which side of the login it is on: a mistake in the resource tree cannot open the folder.
    """

    isLeaf = True

    def __init__(self, root: str, private: bool = False, list_folders: bool = False) -> None:
        super().__init__()
        self._root, self._private, self._list_folders = root, private, list_folders

    def render(self, request: Request) -> int:
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        if self._private:
            request.setHeader(b"Cache-Control", b"private, no-cache")
        if request.method == b"OPTIONS":
            return allowed(request)
        if request.method not in (b"GET", b"HEAD"):
            return refuse(request, 405, (b"Allow", METHODS))
        try:
            return self._serve(request)
        except Absent:
            return refuse(request, 404)

    def _serve(self, request: Request) -> int:
        path = request.path
        if path != PREFIX and not path.startswith(PREFIX + b"/"):
            raise Absent
        names = segments_of(path[len(PREFIX) :])
        if (names[:1] == [PRIVATE]) != self._private:
            raise Absent
        found = open_below(self._root, names)
        if found.is_folder:
            return self._serve_folder(request, found)
        if path.endswith(b"/"):  # a file is no folder
            os.close(found.fd)
            raise Absent
        return _send(request, found, names[-1])

    def _serve_folder(self, request: Request, folder: Found) -> int:
        if not request.path.endswith(b"/"):
            os.close(folder.fd)
            return moved(request, _with_slash(request))
        if not self._list_folders:
            return _send(request, open_inside(folder, INDEX), INDEX)
        try:
            index = open_inside(Found(os.dup(folder.fd), folder.about), INDEX)
        except Absent:
            return _send_listing(request, folder)
        os.close(folder.fd)
        return _send(request, index, INDEX)


def _send(request: Request, found: Found, name: bytes) -> int:
    if found.is_folder:
        os.close(found.fd)
        raise Absent
    request.setHeader(b"Content-Type", content_type(name))
    answer(request, found.fd, found.about)
    return NOT_DONE_YET


def _send_listing(request: Request, folder: Found) -> int:
    try:
        body = listing.render(folder, unquote(request.path.decode("utf-8", "replace")))
    finally:
        os.close(folder.fd)
    request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
    request.setHeader(b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    request.write(body)
    request.finish()
    return NOT_DONE_YET


def _with_slash(request: Request) -> bytes:
    """The folder's proper address. The normal form begins with one slash and our prefix, so it never names another host."""
    _, mark, query = request.uri.partition(b"?")
    return quote(request.path, safe="/%").encode("ascii") + b"/" + mark + query


class PrivateClosed(Resource):
    """Stands for the protected folder where nobody could check a login: closed, never open."""

    isLeaf = True

    def render(self, request: Request) -> int:
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        return refuse(request, 503, (b"Retry-After", b"60"))
