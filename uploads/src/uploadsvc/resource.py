"""What is at /uploads/: a list, and files to put, get and delete."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import msgspec
from svckit.sendfile import answer, plan
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from . import refusals
from .about import About, Entry
from .feed import Feed
from .fetching import Fetching
from .intake import PREFIX, Intake, Place, conditions, find
from .names import disposition, quoted
from .part import Published
from .refusals import Refusal
from .request import UploadRequest
from .store import Store
from .stores import RemoteStore
from .work import Answer, Watch, Work

__all__ = ["PAGE", "Uploads"]

PAGE = 1000
"""Files in one answer of the list; a Link header leads to the next."""

_encode = msgspec.json.Encoder().encode


class Uploads(Resource):
    """All of it. Looks at the request's normalised path only."""

    isLeaf = True
    log = Logger()

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self._intake = intake
        self._store = intake.store

    def render(self, request: UploadRequest) -> int:
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        if request.method == b"OPTIONS" and request.channel.site.writers is not None:
            request.setHeader(b"WWW-Authenticate", b'Basic realm="portico"')  # RFC 9110 section 11.6.1: a login would matter
        if request.work is not None:
            return self._work(request, request.work)
        if isinstance(request.decided, Answer):
            return _answer(request, request.decided)
        if isinstance(request.decided, Watch):
            request.stamp()
            Feed(request, request.decided.look, self._intake.run)
            return NOT_DONE_YET
        place = request.decided or find(request.path)
        if isinstance(place, Refusal):
            return _refuse(request, place)
        if place.slash_forgotten:
            return _redirect(request)
        if request.method == b"OPTIONS":
            return _empty(request, 204, (b"Allow", place.methods))
        handler: Callable[[UploadRequest, Place], int] = {
            (True, b"PUT"): self._put,
            (True, b"GET"): self._get,
            (True, b"HEAD"): self._get,
            (True, b"DELETE"): self._delete,
            (False, b"GET"): self._list,
            (False, b"HEAD"): self._list,
        }[bool(place.name), request.method]  # other methods were refused from the head
        return handler(request, place)

    # -- what `work` has begun

    def _work(self, request: UploadRequest, work: Work) -> int:
        assert request.sink is not None
        committed = request.sink.finish()
        return self._later(request, committed, lambda request, result: _answer(request, work.answer(result)), work.refusal)

    # -- one file

    def _put(self, request: UploadRequest, place: Place) -> int:
        assert request.sink is not None and request.ticket is not None
        published = request.sink.finish(request.ticket.name, request.ticket.exclusive)
        return self._later(request, published, self._put_done)

    def _put_done(self, request: UploadRequest, published: Published) -> None:
        body = _encode(published.told) + b"\n"
        request.setResponseCode(200 if published.replaced else 201)
        request.setHeader(b"ETag", published.etag)
        if published.sha256 is not None:
            request.setHeader(b"Repr-Digest", b"sha-256=:%s:" % b64encode(published.sha256))  # RFC 9530
        if not published.replaced:
            request.setHeader(b"Location", PREFIX + b"/" + quoted(published.name).encode("ascii"))
        _json(request, body)

    def _get(self, request: UploadRequest, place: Place) -> int:
        if isinstance(self._store, Store):
            try:
                fd, about = self._store.open(place.name)
            except FileNotFoundError:
                return _refuse(request, refusals.NOT_FOUND)
            _as_download(request, place.name)
            answer(request, fd, about)
            return NOT_DONE_YET
        found = self._intake.run(partial(self._store.about, place.name))
        return self._later(request, found, partial(self._fetch, name=place.name))

    def _fetch(self, request: UploadRequest, about: About | None, name: str) -> None:
        if about is None:
            _refuse(request, refusals.NOT_FOUND)
            return
        _as_download(request, name)
        parts = plan(request, about.etag, about.modified, about.size)
        if parts:
            read = partial(cast(RemoteStore, self._store).read, name, about.etag)
            Fetching(request, read, parts, self._intake.run, partial(_refuse_instead, request))

    def _delete(self, request: UploadRequest, place: Place) -> int:
        headers = request.requestHeaders
        holds = conditions(b"DELETE", lambda name: b", ".join(headers.getRawHeaders(name, [])) or None)
        removed = self._intake.run(lambda: self._store.remove(place.name, holds))
        return self._later(request, removed, lambda request, _: _empty(request, 204))

    # -- the list

    def _list(self, request: UploadRequest, place: Place) -> int:
        if place.counts:
            return self._later(request, self._intake.run(self._intake.counts.page), self._counts_done)
        after = request.args.get(b"after", [b""])[0].decode("utf-8", "replace")
        entries = self._intake.run(lambda: self._store.listing(after, PAGE))
        return self._later(request, entries, self._list_done)

    def _counts_done(self, request: UploadRequest, page: bytes) -> None:
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Content-Type", b"text/plain; version=0.0.4; charset=utf-8")
        _whole(request, page)

    def _list_done(self, request: UploadRequest, found: tuple[list[Entry], bool]) -> None:
        entries, more = found
        if more:
            following = f'<{PREFIX.decode()}/?after={quoted(entries[-1].name)}>; rel="next"'  # RFC 8288
            request.setHeader(b"Link", following.encode("ascii"))
        request.setHeader(b"Cache-Control", b"no-cache")
        _json(request, _encode(entries) + b"\n")

    # -- answers that come later

    def _later(
        self,
        request: UploadRequest,
        result: "Deferred[Any]",
        then: Callable[[UploadRequest, Any], object],
        refusal_of: Callable[[BaseException | None], Refusal] = refusals.of_error,
    ) -> int:
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)

        def succeeded(value: Any) -> None:
            if not gone:
                then(request, value)

        def failed(reason: Failure) -> None:
            absent = request.ticket is None and reason.check(FileNotFoundError)  # with one, it is the folder that is not there
            refusal = refusals.NOT_FOUND if absent else refusal_of(reason.value)
            if refusal.status == 500:
                self.log.failure("an answer failed", reason)
            if not gone:
                _refuse(request, refusal)

        result.addCallbacks(succeeded, failed)
        result.addErrback(lambda reason: self.log.failure("an answer could not be sent", reason))
        return NOT_DONE_YET


def _as_download(request: UploadRequest, name: str) -> None:
    """Nobody's upload may run as a page of ours, whatever it is and whoever opens it."""
    request.setHeader(b"Content-Type", b"application/octet-stream")
    request.setHeader(b"Content-Disposition", disposition(name))
    request.setHeader(b"Content-Security-Policy", b"default-src 'none'; sandbox")
    request.setHeader(b"Cache-Control", b"no-cache")


def _json(request: UploadRequest, body: bytes) -> None:
    request.setHeader(b"Content-Type", b"application/json")
    _whole(request, body)


def _whole(request: UploadRequest, body: bytes) -> None:
    request.setHeader(b"Content-Length", b"%d" % len(body))
    request.write(body)
    request.finish()


def _answer(request: UploadRequest, found: Answer) -> int:
    request.setResponseCode(found.status)
    request.stamp()
    for name, value in found.headers:
        request.setHeader(name, value)
    if found.body:
        _json(request, found.body)
        return NOT_DONE_YET
    if found.status != 204:
        request.setHeader(b"Content-Length", b"0")
    return _empty(request, found.status)


def _empty(request: UploadRequest, status: int, *headers: tuple[bytes, bytes]) -> int:
    request.setResponseCode(status)
    for name, value in headers:
        request.setHeader(name, value)
    request.finish()
    return NOT_DONE_YET


def _refuse(request: UploadRequest, refusal: Refusal) -> int:
    request.setResponseCode(refusal.status, refusals.REASONS.get(refusal.status))
    request.stamp()
    for name, _ in refusal.all_headers():
        request.responseHeaders.removeHeader(name)
    for name, value in refusal.all_headers():
        request.responseHeaders.addRawHeader(name, value)  # a challenge has several of a name
    request.write(refusal.body)
    request.finish()
    return NOT_DONE_YET


def _refuse_instead(request: UploadRequest, error: BaseException | None) -> bool:
    """Refuse although the head of a file's answer is set; whether there is something to say of `error`."""
    refusal = refusals.NOT_FOUND if isinstance(error, FileNotFoundError) else refusals.of_error(error)
    if refusal.status == 500:
        return False
    for name in (b"ETag", b"Last-Modified", b"Accept-Ranges", b"Content-Range", b"Content-Disposition"):
        request.responseHeaders.removeHeader(name)
    _refuse(request, refusal)
    return True


def _redirect(request: UploadRequest) -> int:
    request.setHeader(b"Content-Length", b"0")
    return _empty(request, 301, (b"Location", PREFIX + b"/"))
