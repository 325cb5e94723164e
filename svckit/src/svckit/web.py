"""twisted.web for services that share a connection: the prefix guard, safe paths, one log line a request.

A client with keep-alive may ask on one connection for `/static/x` and then for `/uploads/y`. The guard sits where
twisted.web meets each request line, after the earlier answers are out (twisted.web serves pipelined requests one by one). A
request that is not this service's goes back to the router together with its connection and all that was read; where nobody
would take it back, the client gets 421 (RFC 9110 section 15.5.20) and the connection closes.
"""

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web import http, server
from twisted.web.resource import IResource
from zope.interface import implementer

from .lease import IDrainable, ILeased, Lease
from .paths import BadTarget, normalise

__all__ = ["GuardedChannel", "GuardedRequest", "GuardedSite"]

access_log = Logger(namespace="access")

MISDIRECTED = b"HTTP/1.1 421 Misdirected Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@implementer(ILeased, IDrainable)
class GuardedChannel(http.HTTPChannel):
    """An HTTP/1.1 channel that answers only what belongs to its service."""

    transport: Any  # ITCPTransport and IConsumer in one
    site: "GuardedSite"
    lease: Lease | None = None
    _requests_begun = 0
    _draining = False
    _leaving = False

    def lineReceived(self, line: bytes) -> None:
        if self._leaving:
            return
        if line and self._at_request_line:
            self._requests_begun += 1
            if self._requests_begun > 1 and self.persistent and self._is_foreign(line):
                self._leave(line + b"\r\n")
                return
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line of a head is longer than `MAX_LENGTH`; twisted.web would close without a word."""
        self.transport.write(TOO_LARGE)
        self.loseConnection()

    @property
    def _at_request_line(self) -> bool:
        return bool(self._HTTPChannel__first_line)  # type: ignore[attr-defined]

    def _is_foreign(self, request_line: bytes) -> bool:
        if self.lease is None:
            return False
        if self._draining and self.lease.returnable:
            return True
        words = request_line.split(b" ")
        return len(words) == 3 and not self.lease.ownership.owns(words[1])

    def _leave(self, unread: bytes) -> None:
        """Give the connection back; the idle timeout goes on, as the client may not be reading the last answer."""
        self._leaving = True
        assert self.lease is not None
        unread += self.clearLineBuffer()
        self.transport.unregisterProducer()
        if self.lease.returnable:
            self.lease.hand_back(unread)
        else:
            self.transport.write(MISDIRECTED)
            self.transport.loseConnection()

    def isSecure(self) -> bool:
        return getattr(self.transport, "secure", False) or super().isSecure()

    # -- drain

    def drain(self) -> None:
        self._draining = True
        if self._leaving:
            return
        if not self.requests:
            self._end_idle()
        elif self.lease is None or not self.lease.returnable:
            self.persistent = False
            for request in self.requests:
                if not request.startedWriting:
                    request.responseHeaders.setRawHeaders(b"Connection", [b"close"])

    def requestDone(self, request: http.Request) -> None:
        super().requestDone(request)
        if self._draining and not self._leaving and not self.requests and self.persistent:
            self._end_idle()

    def _end_idle(self) -> None:
        if self.lease is not None and self.lease.returnable and self.persistent:
            self._leave(b"")
        else:
            self.loseConnection()

    def expire(self) -> None:
        self.transport.abortConnection()


class GuardedRequest(server.Request):
    """A request whose `path` is the normal form that the router saw too."""

    channel: GuardedChannel

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.began = self.channel.site.clock.seconds()

    def process(self) -> None:
        try:
            self.path = normalise(self.uri)
        except BadTarget as error:
            self.site = self.channel.site
            self.setResponseCode(400)
            self.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
            self.write(f"Bad request: {error}\n".encode())
            self.finish()
            return
        super().process()


class GuardedSite(server.Site):
    """A `twisted.web.server.Site` for a service behind the router; it logs one structured event a request."""

    protocol = GuardedChannel  # type: ignore[assignment]

    def __init__(
        self, resource: IResource, reactor: IReactorTime, requestFactory: type[server.Request] = GuardedRequest, **kw: Any
    ) -> None:
        self.clock = reactor
        super().__init__(resource, requestFactory=requestFactory, reactor=reactor, parsePOSTFormSubmission=False, **kw)
        self.noisy = False

    def log(self, request: http.Request) -> None:
        peer = request.getClientAddress()
        began = getattr(request, "began", self.clock.seconds())
        access_log.info(
            "{client} {method} {uri} {status} {sent}",
            client=getattr(peer, "host", None) or str(peer),
            method=request.method.decode("latin-1"),
            uri=request.uri.decode("latin-1"),
            status=request.code,
            sent=request.sentLength,
            user=(getattr(request, "user", b"") or b"").decode("utf-8", "replace") or None,
            ms=round((self.clock.seconds() - began) * 1000, 1),
        )
