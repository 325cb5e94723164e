"""The first page, at `/`: one file of ours with its style and script inside, and a policy that allows just these.

The policy (Content-Security-Policy, level 3) names the hash of each `<style>` and `<script>` that stands in the page, taken
when the service starts. Anything that gets into the page later, by whatever hole, is not run.
"""

import hashlib
import re
from base64 import b64encode
from pathlib import Path

from svckit.conditional import failed_precondition
from twisted.web.http import datetimeToString
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from .answers import METHODS, allowed, refuse

__all__ = ["FirstPage", "policy_of"]


def policy_of(page: bytes) -> bytes:
    """The strictest policy under which `page` works."""
    sources = {
        kind: b" ".join(_hash(inner) for inner in re.findall(rb"<%s>(.*?)</%s>" % (kind, kind), page, re.DOTALL)) or b"'none'"
        for kind in (b"script", b"style")
    }
    return (
        b"default-src 'none'; script-src %s; style-src %s; img-src 'self' data:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'" % (sources[b"script"], sources[b"style"])
    )


def _hash(inner: bytes) -> bytes:
    return b"'sha256-%s'" % b64encode(hashlib.sha256(inner).digest())


class FirstPage(Resource):
    """Answers `/` with the page in `path`, read once.

    Raises:
        OSError: the page cannot be read.
    """

    isLeaf = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._body = path.read_bytes()
        self._etag = b'"%s"' % hashlib.sha256(self._body).hexdigest()[:32].encode()
        self._modified = int(path.stat().st_mtime)
        self._headers = {
            b"Content-Type": b"text/html; charset=utf-8",
            b"Content-Security-Policy": policy_of(self._body),
            b"X-Content-Type-Options": b"nosniff",
            b"Referrer-Policy": b"no-referrer",
            b"Cache-Control": b"no-cache",
            b"Last-Modified": datetimeToString(self._modified),
        }

    def render(self, request: Request) -> int:
        for name, value in self._headers.items():
            request.setHeader(name, value)
        if request.method == b"OPTIONS":
            return allowed(request)
        if request.method not in (b"GET", b"HEAD"):
            return refuse(request, 405, (b"Allow", METHODS))
        if request.path != b"/":
            return refuse(request, 404)
        request.setHeader(b"ETag", self._etag)
        failed = failed_precondition(request.method, request.getHeader, self._etag, self._modified)
        if failed is not None:
            return _without_page(request, failed)
        request.setHeader(b"Content-Length", b"%d" % len(self._body))
        request.write(self._body)
        request.finish()
        return NOT_DONE_YET


def _without_page(request: Request, status: int) -> int:
    request.setResponseCode(status)
    if status != 304:
        request.setHeader(b"Content-Length", b"0")
    request.finish()
    return NOT_DONE_YET
