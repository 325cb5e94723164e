"""Autobahn, hardened: what a protocol of Autobahn's lacks to stand in public, added to any of them by subclassing.

Autobahn conforms, but by itself it takes in all that a client sends while that client reads nothing, keeps a Python object
for each fragment of an unfinished message, cuts a slow uploader whose pong stands behind its own large frame, and waits
forever for a client to read its last words. `harden` mends these, and takes less time for each message by the way.
"""

from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import codes
from .autobahn_parts import Utf8, join_pieces
from .conversation import Ending
from .deflate import WORTH_PACKING, Frugal, understood
from .flow import Flow
from .handshake import Handshake
from .refusals import Refusal

if TYPE_CHECKING:
    from .autobahn_factory import HardenedFactory

__all__ = ["Hardened", "harden"]


log = Logger()


class Hardened(WebSocketServerProtocol):
    """Goes before the user's class in the order of method resolution; adds only `handshake` to what such a class sees."""

    factory: "HardenedFactory"
    handshake: Handshake
    """The client's request, and its user where the path wants a login."""
    transport: Any  # ITCPTransport and IConsumer in one
    utf8validator: Any
    autoPingTimeout: float
    logOctets: bool
    _goodbye: IDelayedCall | None = None
    _heard = _lost = _too_slow = False
    _joined_data = _joined_frame = 0

    # -- the beginning

    def connectionMade(self) -> None:
        limits, clock = self.factory.limits, self.factory.reactor
        self._flow = Flow(self.transport, clock, limits.stall_timeout, self.transport.abortConnection, self._resumed)
        super().connectionMade()
        self.utf8validator = Utf8()

    def begin(self, handshake: Handshake, rest: bytes) -> None:
        self.handshake = handshake
        # Autobahn splits the head with str.splitlines, for which NEL ends a line.
        self.dataReceived(handshake.encode(more=True, extensions=self.factory.compression).replace(b"\x85", b"?") + rest)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        try:
            refusal = Refusal(code, reason, tuple(responseHeaders or ()))
            answer = refusal.encode()
        except ValueError:  # a status that the user's onConnect made up
            answer = Refusal(403, reason).encode()
        self.sendData(answer)

    def _parseExtensionsHeader(self, header: str, removeQuotes: bool = True) -> Any:
        return understood(super()._parseExtensionsHeader(header, removeQuotes))

    def onConnect(self, request: ConnectionRequest) -> Any:
        """What the user's class says; where it chooses no subprotocol, the first of the client's that the mount has."""
        chosen = super().onConnect(request)
        if chosen is None and self.factory.subprotocols:
            return next((name for name in request.protocols if name in self.factory.subprotocols), None)
        return chosen

    def _onOpen(self) -> None:
        if self._perMessageCompress is not None:
            self._perMessageCompress = Frugal.like(self._perMessageCompress)
        super()._onOpen()

    # -- back-pressure and keep-alive

    def dataReceived(self, data: bytes) -> None:
        self._heard = True
        self._dataReceived(data)  # what super() does, without its debug message

    def _resumed(self) -> None:
        self._heard = True  # a pong may have waited unread

    def onAutoPingTimeout(self) -> None:
        if self._heard or not self._flow.reading:
            self._heard = False
            self.autoPingTimeoutCall = self.factory._batched_timer.call_later(self.autoPingTimeout, self.onAutoPingTimeout)
        else:
            super().onAutoPingTimeout()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._flow.attach(producer, streaming)

    def unregisterProducer(self) -> None:
        self._flow.detach()

    # -- messages

    def _onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state == self.STATE_OPEN:  # after our Close there is no answering, and sendMessage raises
            super()._onMessage(payload, isBinary)

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        self._joined_data = 0
        kind = self.factory.limits.frames
        if kind != "any" and (kind == "binary") != isBinary:
            self._fail_connection(codes.UNSUPPORTED, f"{kind} messages only")

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        self._joined_frame = 0

    def onMessageFrameData(self, payload: bytes) -> None:
        super().onMessageFrameData(payload)
        self._joined_frame = join_pieces(self.frame_data, self._joined_frame)

    def onMessageFrame(self, payload: Any) -> None:
        super().onMessageFrame(payload)
        self._joined_data = join_pieces(self.message_data, self._joined_data)

    def fire(self, event: str, *args: Any, **kw: Any) -> "Deferred[Any]":
        """Costs a Deferred and more for each message, so only where somebody has asked for it by `on`."""
        if not self._listeners:
            return succeed(None)
        found: Deferred[Any] = super().fire(event, *args, **kw)
        return found

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        if sync or chopsize or self.send_queue or self.logOctets:
            super().sendData(data, sync, chopsize)
        else:
            backlog = self._flow.backlog(len(data))
            self.transport.write(data)
            self.trafficStats.outgoingOctetsWireLevel += len(data)
            if backlog > self.factory.limits.max_unsent and self.state == self.STATE_OPEN and not self._too_slow:
                self._too_slow = True
                log.info("a client does not read what it is sent: closed")
                self.sendCloseFrame(codes.POLICY, b"you do not read what you are sent")

    def sendMessage(
        self,
        payload: bytes,
        isBinary: bool = False,
        fragmentSize: int | None = None,
        sync: bool = False,
        doNotCompress: bool = False,
    ) -> None:
        """As Autobahn's; what is small is not worth packing."""
        super().sendMessage(payload, isBinary, fragmentSize, sync, doNotCompress or len(payload) < WORTH_PACKING)

    # -- the end

    def expire(self) -> None:
        going_away = getattr(self, "onGoingAway", None)  # a protocol of the user's may have it
        if going_away is not None and self.state == self.STATE_OPEN:
            going_away()
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(codes.GOING_AWAY, b"going away")
        elif self.state == self.STATE_CONNECTING:  # onConnect has not made up its mind
            self.failHandshake("This service is shutting down.", 503)

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        super().sendCloseFrame(code, reasonUtf8, isReply)
        if self.state == self.STATE_CLOSING:
            self._flow.close()  # the client's Close must be heard

    def dropConnection(self, abort: bool = False) -> None:
        """Cut the connection only where the client is beyond talking to; a reset may destroy what it has not read yet."""
        self._flow.close()
        abort = abort and not self.wasClean
        super().dropConnection(abort)
        if not abort and self._goodbye is None and not self._lost:
            self._goodbye = self.factory.reactor.callLater(self.factory.limits.close_timeout, self.transport.abortConnection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self._flow.close()
        super().connectionLost(reason)
        for call in (self._goodbye, self.closeHandshakeTimeoutCall):
            if call is not None and call.active():
                call.cancel()

    def ending(self) -> Ending:
        stats = self.trafficStats
        received, sent = stats.incomingWebSocketMessages, stats.outgoingWebSocketMessages
        if self.closedByMe:
            return Ending(self.localCloseCode or codes.NO_STATUS, "service", received, sent)
        if self.wasClean:
            return Ending(self.remoteCloseCode or codes.NO_STATUS, "client", received, sent)
        return Ending(codes.ABNORMAL, "network", received, sent)


def harden(protocol: type[WebSocketServerProtocol]) -> type[Hardened]:
    """A subclass of a user's protocol that is a conversation, and safe in public."""
    return type(protocol.__name__, (Hardened, protocol), {"__module__": protocol.__module__, "__doc__": protocol.__doc__})
