"""txWS with sound framing.

txWS wraps a stream factory so that its protocols talk over a WebSocket and see a plain transport. That role is kept, by
subclassing: the wrapping factory, the transport, early writes, the two kinds of payload (`setBinaryMode`), the 101 answer
and its accept key are txWS's own. Replaced is what RFC 6455 asks more of than txWS does: everything after the handshake.

A conversation is open, then `_closing` (our Close is out, the client's is awaited), then `_over` (nothing that arrives counts).
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Literal

import txws
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import codes
from .conversation import Ending
from .events import CLOSE, PING, PONG, Close, Event, Message, Ping, Violation, encode
from .flow import Flow
from .frames import FrameParser
from .handshake import Handshake
from .linger import linger
from .pulse import Pulse
from .txws_framing import Framing
from .txws_opening import Opening

if TYPE_CHECKING:
    from .txws_factory import WebSocketFactory

__all__ = ["WebSocketProtocol"]


class WebSocketProtocol(Opening):
    """One WebSocket: the transport of the wrapped protocol."""

    log = Logger()
    factory: "WebSocketFactory"
    handshake: Handshake
    """The client's request, for a wrapped protocol that wants to know (`self.transport.handshake`)."""
    disconnecting: int
    pending_frames: list[bytes | str]

    def __init__(self, factory: "WebSocketFactory", wrapped: Any) -> None:
        super().__init__(factory, wrapped)
        self._parser = FrameParser(factory.limits.max_message)
        self._waiting: deque[Event] = deque()
        self._closing = self._over = self._delivering = self._close_after_producer = False
        self._framing = Framing(factory.limits.frames)
        self._timer: IDelayedCall | None = None
        self._code, self._by = codes.ABNORMAL, "network"
        self._received = self._sent = 0

    # -- the beginning

    def makeConnection(self, transport: Any) -> None:
        clock, limits = self.factory.clock, self.factory.limits
        abort = transport.abortConnection
        self._flow = Flow(transport, clock, limits.stall_timeout, abort, self._deliver)
        self._pulse = Pulse(clock, limits.ping_interval, self._ping, abort, lambda: self._flow.reading)
        super().makeConnection(transport)

    def begin(self, handshake: Handshake, rest: bytes) -> None:
        """Let txWS answer a handshake that was found right."""
        self.handshake = handshake
        self.subprotocol = next((name for name in handshake.subprotocols if name in self.factory.subprotocols), None)
        super().dataReceived(handshake.encode())
        self._pulse.start()
        if self.disconnecting:  # the wrapped protocol did not want the connection
            self.disconnecting = 0
            self.loseConnection()
        begun = getattr(self.wrappedProtocol, "begun", None)  # one that wants to know of the handshake may have it
        if begun is not None:
            begun()
        if rest:
            self.dataReceived(rest)

    # -- from the client

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        self._pulse.heard = True
        self._waiting.extend(self._parser.feed(data))
        self._deliver()

    def _deliver(self) -> None:
        """Hand on what was parsed, for as long as the wrapped protocol and the client's own reading let us."""
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._waiting and self._flow.reading and not self._over:
                self._take(self._waiting.popleft())
        finally:
            self._delivering = False

    def _take(self, event: Event) -> None:
        if isinstance(event, Message):
            if not self._closing:
                self._hand_on(event)
        elif isinstance(event, Ping):
            if not self._closing:
                self.transport.write(encode(PONG, event.payload))
        elif isinstance(event, Close):
            self._closed_by_client(event)
        elif isinstance(event, Violation):
            self._fail(event.code, event.reason)

    def _hand_on(self, message: Message) -> None:
        if not self._framing.heard(message):
            self._fail(codes.UNSUPPORTED, f"{self._framing.kind} messages only")
            return
        self._received += 1
        payload = message.payload.decode("utf-8") if message.text and self.do_binary_frames else message.payload
        try:
            self.wrappedProtocol.dataReceived(payload)
        except Exception:
            self.log.failure("the wrapped protocol failed on a message")
            self._fail(codes.INTERNAL_ERROR, "")

    # -- from the wrapped protocol

    def writeSequence(self, data: Any) -> None:
        """As ITransport: the same as one write of all."""
        pieces = list(data)
        self.write((b"" if all(isinstance(piece, bytes) for piece in pieces) else "").join(pieces))

    def sendFrames(self) -> None:
        if self.state != txws.FRAMES:
            return  # they wait for the handshake
        pending, self.pending_frames = self.pending_frames, []
        if self._closing:
            return
        for data in pending:
            if self._closing:
                return
            try:
                framed = self._framing.framed(data, self.do_binary_frames)
            except UnicodeDecodeError:
                self.log.error("the wrapped protocol wrote what is no UTF-8, where text is spoken")
                self.close("", codes.INTERNAL_ERROR)
                return
            if framed is not None:
                self._sent += 1
                backlog = self._flow.backlog(len(framed))
                self.transport.write(framed)
                if backlog > self.factory.limits.max_unsent:
                    self._too_slow()

    def _too_slow(self) -> None:
        self.log.info("a client does not read what it is sent: closed")
        self.close("you do not read what you are sent", codes.POLICY)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._flow.attach(producer, streaming)

    def unregisterProducer(self) -> None:
        self._flow.detach()
        if self._close_after_producer:
            self.close()

    def pauseProducing(self) -> None:
        self._flow.hold()

    def resumeProducing(self) -> None:
        self._flow.let_go()

    def stopProducing(self) -> None:
        self.loseConnection()

    def _ping(self) -> None:
        self.transport.write(encode(PING, b""))

    # -- the closing handshake (section 7)

    def loseConnection(self) -> None:
        """As ITransport: when everything that was written is out, and a producer is done, close with 1000."""
        self.disconnecting = 1
        if self._flow.producing:
            self._close_after_producer = True
        else:
            self.close()

    def abortConnection(self) -> None:
        """As ITransport: cut the connection, without a Close."""
        self.disconnecting = 1
        self.transport.abortConnection()

    def expire(self) -> None:
        self.close("going away", codes.GOING_AWAY)

    def close(self, reason: str = "", code: int = codes.NORMAL) -> None:
        """Close with a code and a reason; the connection ends within the close timeout.

        Raises:
            ValueError: the code may not be sent.
        """
        if self.state != txws.FRAMES:
            self.disconnecting = 1
        elif not self._closing:
            payload = codes.close_payload(code, reason)
            self.sendFrames()
            self._say_close(payload, code, "service")
            self._timer = self.factory.clock.callLater(self.factory.limits.close_timeout, self.transport.abortConnection)
            self._flow.close()
            self._deliver()

    def _closed_by_client(self, close: Close) -> None:
        if not self._closing:
            payload = b"" if close.code == codes.NO_STATUS else close.code.to_bytes(2, "big")
            self._say_close(payload, close.code, "client")
        self._hang_up()

    def _fail(self, code: int, reason: str) -> None:
        """Section 7.1.7: say why, and take nothing more."""
        if not self._closing:
            self._say_close(codes.close_payload(code, reason), code, "service")
        self._hang_up()

    def _say_close(self, payload: bytes, code: int, by: Literal["client", "service"]) -> None:
        self._closing = True
        self.disconnecting = 1
        self._code, self._by = code, by
        self._pulse.stop()
        self.transport.write(encode(CLOSE, payload))

    def _hang_up(self) -> None:
        """Both Closes are through, or no more can be expected: the server closes the connection first (section 7.1.1)."""
        self._over = True
        self._waiting.clear()
        self._flow.close()
        self._stop_timer()
        self._timer = linger(self.transport, self.factory.clock, self.factory.limits.close_timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def connectionLost(self, reason: Failure) -> None:
        self._closing = self._over = True
        self._waiting.clear()
        self._pulse.stop()
        self._stop_timer()
        self._flow.close()
        super().connectionLost(reason)

    def ending(self) -> Ending:
        return Ending(self._code, self._by, self._received, self._sent)  # type: ignore[arg-type]
