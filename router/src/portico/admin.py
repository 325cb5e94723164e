"""The operators' port: is it alive, is it ready, what is going on. Loopback by default, as it has no login.

/healthz   200 while the event loop turns
/readyz    200 while connections are accepted, 503 once it drains
/status    JSON: services, replicas, counts
/metrics   the same and more for Prometheus
/drain     POST: no new connections to one replica; /undrain takes it back (`drainpage`)
"""

from collections.abc import Callable

import msgspec
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from .drainpage import Drain, DrainPage

__all__ = ["make_site", "make_status_site"]

METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format, which every version of it reads."""


class _Page(Resource):
    isLeaf = True

    def __init__(self, content_type: bytes, make: Callable[[], tuple[int, bytes]]) -> None:
        super().__init__()
        self._content_type, self._make = content_type, make

    def render_GET(self, request: Request) -> bytes:
        status, body = self._make()
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", self._content_type)
        request.setHeader(b"Cache-Control", b"no-store")
        return body


def make_site(
    status: Callable[[], dict[str, object]], ready: Callable[[], bool], metrics: Callable[[], bytes], drain: Drain
) -> Site:
    """The pages; `status` makes the JSON's content, `ready` says whether connections are accepted, `metrics` is that page.

    `drain` may raise NotThere and Undrainable.
    """

    def readiness() -> tuple[int, bytes]:
        return (200, b"ready\n") if ready() else (503, b"draining\n")

    root = Resource()
    root.putChild(b"healthz", _Page(b"text/plain; charset=utf-8", lambda: (200, b"alive\n")))
    root.putChild(b"readyz", _Page(b"text/plain; charset=utf-8", readiness))
    root.putChild(b"status", _Page(b"application/json", lambda: (200, msgspec.json.encode(status()) + b"\n")))
    root.putChild(b"metrics", _Page(METRICS_TYPE, lambda: (200, metrics())))
    root.putChild(b"drain", DrainPage(drain, True))
    root.putChild(b"undrain", DrainPage(drain, False))
    return _site(root)


def make_status_site(status: Callable[[], dict[str, object]]) -> Site:
    """`/status` alone, for those who may look and not touch."""
    root = Resource()
    root.putChild(b"status", _Page(b"application/json", lambda: (200, msgspec.json.encode(status()) + b"\n")))
    return _site(root)


def _site(root: Resource) -> Site:
    site = Site(root, parsePOSTFormSubmission=False)
    site.noisy = False
    site.log = lambda request: None  # type: ignore[method-assign]  # a health check every few seconds is no news
    return site
