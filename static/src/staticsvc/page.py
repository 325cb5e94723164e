"""The first page, at `/`: one document with its style and scripts inside, and a policy that allows just these.

Its parts are files beside `index.html`, which names them: `/* include page.css */`. They are put in when the service starts, so
that one request brings the page, and the page needs no prefix of its own.

The policy (Content-Security-Policy, level 3) names the hash of each `<style>` and `<script>` that stands in the page. Anything
that gets into the page later, by whatever hole, is not run.
"""

import gzip
import hashlib
import re
from base64 import b64encode
from pathlib import Path

from svckit.conditional import failed_precondition
from svckit.sendfile import joined
from twisted.web.http import datetimeToString
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from .answers import METHODS, allowed, refuse
from .codings import accepted

__all__ = ["FirstPage", "assembled", "changed", "policy_of"]

_include = re.compile(rb"/\* include ([\w./ -]+) \*/")


def assembled(path: Path) -> bytes:
    """The page in `path`, with the files in it that it names; each ends its line.

    Raises:
        OSError: one of them cannot be read.
    """

    def parts(found: re.Match[bytes]) -> bytes:
        return b"\n" + b"\n".join(part.read_bytes().strip() for part in _named(path, found)) + b"\n"

    return _include.sub(parts, path.read_bytes())


def changed(path: Path) -> float:
    """When the page in `path`, or a file in it that it names, was last written to: seconds since the epoch.

    Raises:
        OSError: one of them cannot be read.
    """
    parts = [part for found in _include.finditer(path.read_bytes()) for part in _named(path, found)]
    return max(part.stat().st_mtime for part in (path, *parts))


def _named(path: Path, found: re.Match[bytes]) -> list[Path]:
    return [path.parent / name.decode() for name in found[1].split()]


def policy_of(page: bytes) -> bytes:
    """The strictest policy under which `page` works."""
    sources = {
        kind: b" ".join(_hash(inner) for inner in re.findall(rb"<%s>(.*?)</%s>" % (kind, kind), page, re.DOTALL)) or b"'none'"
        for kind in (b"script", b"style")
    }
    return (
        b"default-src 'none'; script-src %s; style-src %s; img-src 'self' data:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'" % (sources[b"script"], sources[b"style"])
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
        self._body = assembled(path)
        self._packed = gzip.compress(self._body, mtime=0)
        self._etag = b'"%s"' % hashlib.sha256(self._body).hexdigest()[:32].encode()
        self._modified = int(changed(path))
        self._headers = {
            b"Content-Type": b"text/html; charset=utf-8",
            b"Content-Security-Policy": policy_of(self._body),
            b"X-Content-Type-Options": b"nosniff",
            b"Referrer-Policy": b"no-referrer",
            b"Cache-Control": b"no-cache",
            b"Vary": b"Accept-Encoding",
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
        body, etag = self._body, self._etag
        if any(coding.name == b"gzip" for coding in accepted(joined(request, b"Accept-Encoding") or b"")):
            body, etag = self._packed, etag[:-1] + b'-gzip"'
        request.setHeader(b"ETag", etag)
        failed = failed_precondition(request.method, lambda name: joined(request, name), etag, self._modified)
        if failed is not None:
            return _without_page(request, failed)
        if body is self._packed:
            request.setHeader(b"Content-Encoding", b"gzip")
        request.setHeader(b"Content-Length", b"%d" % len(body))
        request.write(body)
        request.finish()
        return NOT_DONE_YET


def _without_page(request: Request, status: int) -> int:
    request.setResponseCode(status)
    if status != 304:
        request.setHeader(b"Content-Length", b"0")
    request.finish()
    return NOT_DONE_YET
