"""txWS with sound framing.

txWS wraps a stream factory so that its protocols talk over a WebSocket and see a plain transport. That role is kept, by
subclassing: the wrapping factory, the transport, early writes, the two kinds of payload (`setBinaryMode`), the 101 answer
and its accept key are txWS's own. Replaced is what RFC 6455 asks more of than txWS does: everything after the handshake.

A conversation is open, then `_closing` (our Close is out, the client's is awaited), then `_over` (nothing that arrives counts).

In which kind of frame bytes go out: with `setBinaryMode(True)`, str as text and bytes as binary, and text arrives as str.
Otherwise as the client talks: as text if its last message was text and the bytes are valid UTF-8, else as binary. Where the
option `frames` says `text` or `binary`, all is of that kind in both directions.
"""

import codecs as unicode
from collections import deque
from typing import Any, Literal

import txws
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import codes
from .conversation import Ending
from .events import BINARY, CLOSE, PING, PONG, TEXT, Close, Event, Message, Ping, Violation, encode
from .flow import Flow
from .frames import FrameParser
from .handshake import Handshake
from .linger import linger
from .options import Limits
from .pulse import Pulse

__all__ = ["WebSocketFactory", "WebSocketProtocol"]


class WebSocketProtocol(txws.WebSocketProtocol):
    """One WebSocket: the transport of the wrapped protocol."""

    log = Logger()
    factory: "WebSocketFactory"
    handshake: Handshake
    """The client's request, for a wrapped protocol that wants to know (`self.transport.handshake`)."""
    subprotocol: str | None = None
    disconnecting: int
    pending_frames: list[bytes | str]
    headers: dict[str, str]

    def __init__(self, factory: "WebSocketFactory", wrapped: Any) -> None:
        super().__init__(factory, wrapped)
        self._parser = FrameParser(factory.limits.max_message)
        self._waiting: deque[Event] = deque()
        self._closing = self._over = self._delivering = self._close_after_producer = False
        self._text = False
        self._kind = factory.limits.frames
        self._decoder = unicode.getincrementaldecoder("utf-8")() if self._kind == "text" else None
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

    def validateHeaders(self) -> bool:
        """What txWS does for version 13; it would log a line for each connection, and take a subprotocol for a codec."""
        self.host = self.headers["Host"]
        self.origin = self.headers.get("Origin", "")
        self.sendHyBi07Preamble()
        self.flavor, self.state = txws.RFC6455, txws.FRAMES
        return True

    def sendCommonPreamble(self) -> None:
        lines = ["HTTP/1.1 101 Switching Protocols\r\n", "Upgrade: websocket\r\n", "Connection: Upgrade\r\n"]
        if self.subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {self.subprotocol}\r\n")
        self.writeEncodedSequence(lines)

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
        if self._kind != "any" and (self._kind == "text") != message.text:
            self._fail(codes.UNSUPPORTED, f"{self._kind} messages only")
            return
        self._received += 1
        self._text = message.text
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
            framed = self._framed(data)
            if framed is not None:
                self._sent += 1
                backlog = self._flow.backlog(len(framed))
                self.transport.write(framed)
                if backlog > self.factory.limits.max_unsent:
                    self._too_slow()

    def _too_slow(self) -> None:
        self.log.info("a client does not read what it is sent: closed")
        self.close("you do not read what you are sent", codes.POLICY)

    def _framed(self, data: bytes | str) -> bytes | None:
        if self._decoder is not None:
            return self._as_text(data)
        if isinstance(data, str):
            return encode(TEXT, data.encode("utf-8"))
        if self._kind == "binary" or self.do_binary_frames or not self._text:
            return encode(BINARY, data)
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return encode(BINARY, data)
        return encode(TEXT, data)

    def _as_text(self, data: bytes | str) -> bytes | None:
        """A stream's writes may end within a character: its rest waits for the next one."""
        assert self._decoder is not None
        try:
            text = data if isinstance(data, str) else self._decoder.decode(data)
        except UnicodeDecodeError:
            self.log.error("the wrapped protocol wrote what is no UTF-8, where text is spoken")
            self.close("", codes.INTERNAL_ERROR)
            return None
        return encode(TEXT, text.encode("utf-8")) if text or not data else None

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


class WebSocketFactory(txws.WebSocketFactory):
    """Wraps a stream factory; its protocols are conversations behind a door."""

    protocol = WebSocketProtocol
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, limits: Limits, clock: IReactorTime) -> None:
        super().__init__(wrapped)
        self.limits, self.clock = limits, clock
        self.subprotocols = frozenset(limits.subprotocols.split())

    def buildProtocol(self, addr: IAddress) -> WebSocketProtocol | None:
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)
