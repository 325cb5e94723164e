"""Short answers: refusals, redirects, what is allowed."""

from html import escape

from twisted.web.http import RESPONSES
from twisted.web.server import NOT_DONE_YET, Request

__all__ = ["METHODS", "allowed", "moved", "refuse"]

METHODS = b"GET, HEAD, OPTIONS"

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<h1>{title}</h1><p>{text}</p><p><a href="/">To the first page</a></p></html>
"""
_TEXTS = {
    404: "There is nothing here under this address.",
    405: "This address can only be read.",
    503: "This part needs a login, and no login service is configured.",
}


def refuse(request: Request, status: int, *headers: tuple[bytes, bytes]) -> int:
    """Answer with a small page of ours that says what is wrong."""
    title = f"{status} {RESPONSES[status].decode()}"
    body = _PAGE.format(title=escape(title), text=escape(_TEXTS[status])).encode()
    request.setResponseCode(status)
    for name, value in headers:
        request.setHeader(name, value)
    request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
    request.setHeader(b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    request.write(body)
    request.finish()
    return NOT_DONE_YET


def allowed(request: Request) -> int:
    """Answer OPTIONS."""
    request.setResponseCode(204)
    request.setHeader(b"Allow", METHODS)
    request.finish()
    return NOT_DONE_YET


def moved(request: Request, location: bytes, status: int = 301) -> int:
    """Send the client to `location`, a path of ours; for good unless `status` says otherwise."""
    request.setResponseCode(status)
    request.setHeader(b"Location", location)
    request.setHeader(b"Content-Length", b"0")
    request.finish()
    return NOT_DONE_YET
