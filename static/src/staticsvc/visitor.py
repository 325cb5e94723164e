"""Who is logged in, for the first page: `/static/.login`, an address that no file has, as dotfiles are hidden.

Asked as it is, it asks for a login as any protected address does: so a page brings up the browser's own dialogue. Asked with
`?quietly`, it tells of a login that the browser has sent along unasked, and asks for none.
"""

import json
from typing import Any

from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from .answers import METHODS, allowed, refuse
from .folder import PrivateClosed

__all__ = ["PLACE", "Visitor", "is_quiet"]

PLACE = "/static/.login"


def is_quiet(request: Request) -> bool:
    """Whether no dialogue is wanted and no login was sent along: then there is nothing to check."""
    return request.uri.endswith(b"?quietly") and not request.requestHeaders.hasHeader(b"Authorization")


class Visitor(Resource):
    """Says the user's name as JSON, and whether there are logins at all."""

    isLeaf = True

    def __init__(self, guarded: IResource | None = None) -> None:
        """`guarded`: what would ask for the login, where this does not stand behind it."""
        super().__init__()
        self._logins = not isinstance(guarded, PrivateClosed)

    def render(self, request: Request) -> Any:
        if request.method == b"OPTIONS":
            return allowed(request)
        if request.method not in (b"GET", b"HEAD"):
            return refuse(request, 405, (b"Allow", METHODS))
        user = getattr(request, "user", None)
        body = json.dumps({"user": user.decode("utf-8", "replace") if user else None, "logins": self._logins}).encode()
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Content-Length", b"%d" % len(body))
        request.write(body)
        request.finish()
        return NOT_DONE_YET
