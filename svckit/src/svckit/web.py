"""twisted.web for services that share a connection: a site with the prefix guard, safe paths, one log line a request."""

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web import http, server
from twisted.web.resource import IResource

from .channel import GuardedChannel
from .paths import BadTarget, normalise
from .strictheads import MOST_FIELDS

__all__ = ["MOST_FIELDS", "GuardedChannel", "GuardedRequest", "GuardedSite"]

access_log = Logger(namespace="access")


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
