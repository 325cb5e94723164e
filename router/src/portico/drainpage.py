"""POST /drain and /undrain on the operators' port: `{"service": "app", "replica": "10.0.0.7:8000"}`, as application/json.

The port has no login, and a browser on the same host reaches it. So that no web page can do this behind its user's back, the
content type must be one that a form cannot send, and that a script may send to another site only after asking, which nobody
answers here. And a request with `Origin` is refused: browsers send it with every POST, also where a page has made its own name
lead here.
"""

from collections.abc import Callable

import msgspec
from twisted.web.http import Request
from twisted.web.resource import Resource

from .draining import NotThere, Undrainable

__all__ = ["CONTENT_TYPE", "LARGEST", "Asked", "Drain", "DrainPage", "refusal"]

CONTENT_TYPE = b"application/json"
LARGEST = 4_096
"""Bytes of a request's body."""

Drain = Callable[[str, str, bool], None]
"""Told service, replica, and whether it is to be drained."""


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be drained, or undrained."""

    service: str
    replica: str


class Done(msgspec.Struct):
    """The answer."""

    service: str
    replica: str
    drained: bool


def refusal(request: Request) -> tuple[int, bytes] | None:
    """Status and body where a web page may have made a browser send this; whoever passes requests on asks it too."""
    if request.getHeader(b"Origin") is not None:
        return 403, b"this is not for web pages"
    if (request.getHeader(b"Content-Type") or b"").partition(b";")[0].strip().lower() != CONTENT_TYPE:
        return 415, b"expected Content-Type: application/json"
    return None


class DrainPage(Resource):
    """One of the two pages."""

    isLeaf = True
    allowedMethods = (b"POST",)

    def __init__(self, drain: Drain, drained: bool) -> None:
        super().__init__()
        self._drain, self._drained = drain, drained

    render_HEAD = None  # type: ignore[assignment]  # the base's would ask for render_GET

    def render_POST(self, request: Request) -> bytes:
        status, body = self._answer(request)
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", CONTENT_TYPE if status == 200 else b"text/plain; charset=utf-8")
        request.setHeader(b"Cache-Control", b"no-store")
        return body + b"\n"

    def _answer(self, request: Request) -> tuple[int, bytes]:
        refused = refusal(request)
        if refused is not None:
            return refused
        assert request.content is not None
        body = request.content.read(LARGEST + 1)
        if len(body) > LARGEST:
            return 413, b"expected at most %d bytes" % LARGEST
        try:
            asked = msgspec.json.decode(body, type=Asked)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return 400, str(error).encode()
        try:
            self._drain(asked.service, asked.replica, self._drained)
        except NotThere as error:
            return 404, str(error).encode()
        except Undrainable as error:
            return 409, str(error).encode()
        return 200, msgspec.json.encode(Done(asked.service, asked.replica, self._drained))
