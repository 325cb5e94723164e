"""The parent's operators' port: asks every worker at its own, and answers for all of them.

    /healthz, /readyz   200 while every worker says so
    /status             one status of all: see `portico.merging`; `workers` lists them
    /metrics            all metrics, with the label `worker`

Whatever else is asked goes to every worker, and the worst answer is the answer; what a web page might have sent goes to none.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from svckit.reactors import Reactor
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from .admin import METRICS_TYPE
from .client import fetch
from .drainpage import refusal
from .merging import merged_metrics, merged_status
from .workers import Worker

__all__ = ["LARGEST_BODY", "make_gathering_site", "make_gathering_status_site"]

LARGEST_BODY = 65_536
"""Bytes of a request's body that is passed on."""

TEXT = b"text/plain; charset=utf-8"
Answer = tuple[int, bytes]
Page = tuple[int, bytes, bytes]
"""Status, content type, body."""


class _Gathering(Resource):
    isLeaf = True

    def __init__(
        self,
        workers: Sequence[Worker],
        address_of: Callable[[int], str],
        reactor: Reactor,
        changed: Callable[[], object],
    ) -> None:
        super().__init__()
        self._workers, self._address_of, self._reactor = workers, address_of, reactor
        self._changed = changed

    def render(self, request: Request) -> Any:
        """Ask them all, then answer."""
        request.gone = False  # type: ignore[attr-defined]
        request.notifyFinish().addErrback(lambda _: setattr(request, "gone", True))
        self._page(request).addErrback(_failed).addCallback(_answer, request)
        return NOT_DONE_YET

    def _page(self, request: Request) -> "Deferred[Page]":
        path, method = request.path.decode("latin-1"), request.method.decode("latin-1")
        refused = None if method in ("GET", "HEAD") else refusal(request)
        if refused is not None:
            return succeed((refused[0], TEXT, refused[1] + b"\n"))
        assert request.content is not None
        body = request.content.read(LARGEST_BODY + 1)
        if len(body) > LARGEST_BODY:
            request.setHeader(b"Connection", b"close")
            return succeed((413, TEXT, b"too large\n"))
        content_type = request.getHeader("content-type")
        asked = [
            deferToThreadPool(
                self._reactor,
                self._reactor.getThreadPool(),
                fetch,
                self._address_of(worker.number),
                request.uri.decode("latin-1"),
                method,
                body or None,
                content_type,
            )
            for worker in self._workers
        ]
        make = {"/status": self._status, "/metrics": self._metrics}.get(path) if method == "GET" else None
        told = gatherResults(asked, consumeErrors=True)
        if method not in ("GET", "HEAD"):
            told.addCallback(self._remember)
        return told.addCallback(make or _worst)

    def _remember(self, answers: list[Answer]) -> list[Answer]:
        """Also where not all have done as they were told."""
        self._changed()
        return answers

    def _status(self, answers: list[Answer]) -> Page:
        """What those say that answer; the list of workers shows which do not."""
        statuses = [msgspec.json.decode(body) for status, body in answers if status == 200]
        workers = [worker.status() for worker in self._workers]
        return 200, b"application/json", msgspec.json.encode({**merged_status(statuses), "workers": workers}) + b"\n"

    def _metrics(self, answers: list[Answer]) -> Page:
        pages = {
            str(worker.number): body for worker, (status, body) in zip(self._workers, answers, strict=True) if status == 200
        }
        return 200, METRICS_TYPE, merged_metrics(pages)


class _StatusOnly(_Gathering):
    def render(self, request: Request) -> Any:
        """Nothing but a look at `/status` reaches a worker."""
        if request.method != b"GET" or request.uri != b"/status":
            request.setResponseCode(404)
            return b""
        return super().render(request)


def _worst(answers: list[Answer]) -> Page:
    """That of a worker which does not answer at all, else that with the highest status."""
    status, body = max(answers, key=lambda answer: answer[0] or 1_000)
    content_type = b"application/json" if body[:1] in (b"{", b"[") else TEXT
    return (status, content_type, body) if status else (503, TEXT, body + b"\n")


def _failed(failure: Failure) -> Page:
    return 500, TEXT, f"{failure.getErrorMessage()}\n".encode()


def _answer(page: Page, request: Request) -> None:
    if request.gone:  # type: ignore[attr-defined]
        return
    status, content_type, body = page
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", content_type)
    request.setHeader(b"Cache-Control", b"no-store")
    request.write(body)
    request.finish()


def make_gathering_site(
    workers: Sequence[Worker], address_of: Callable[[int], str], reactor: Reactor, changed: Callable[[], object]
) -> Site:
    """`address_of` a worker's number is where it has its operators' port; `changed` is called when they were told something."""
    return _site(_Gathering(workers, address_of, reactor, changed))


def make_gathering_status_site(workers: Sequence[Worker], address_of: Callable[[int], str], reactor: Reactor) -> Site:
    """`/status` alone, for those who may look and not touch."""
    return _site(_StatusOnly(workers, address_of, reactor, lambda: None))


def _site(root: Resource) -> Site:
    site = Site(root, parsePOSTFormSubmission=False)
    site.noisy = False
    site.log = lambda request: None  # type: ignore[method-assign]
    return site
