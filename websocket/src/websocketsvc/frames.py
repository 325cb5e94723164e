"""RFC 6455 framing without input or output: bytes in, events out.

Theory of operation. `FrameParser.feed` takes whatever has arrived and returns what it completes: messages, pings, pongs, a
Close, or a `Violation` as the last event of all. The same stream gives the same events however it was split.

- A header is judged as soon as its first two bytes are there, its length before any payload is waited for.
- The payload of a data frame is taken as it comes, unmasked and, for text, checked as UTF-8 at once (section 8.1), so bad
  text is refused in the middle of a frame. A message that is whole in one frame and one read is never copied twice.
- Memory: at most `max_message` bytes of an unfinished message, and one header or control frame. Empty fragments hold none.
- Time: each byte is looked at once.

Only clients' frames are parsed: those must be masked (section 5.1).
"""

import codecs

from .codes import BAD_DATA, NO_STATUS, PROTOCOL_ERROR, TOO_BIG, may_be_sent
from .events import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    MASKED,
    MAX_CONTROL,
    PING,
    PONG,
    RESERVED,
    TEXT,
    Close,
    Event,
    Message,
    Ping,
    Pong,
    Violation,
)
from .masking import mask, rotated

__all__ = ["FrameParser"]


class _Broken(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class FrameParser:
    """Parses what one client sends."""

    __slots__ = ("_buffer", "_decoder", "_final", "_key", "_kind", "_left", "_max", "_opcode", "_parts", "_size", "ended")

    def __init__(self, max_message: int) -> None:
        """`max_message`: bytes in one message, over all of its fragments."""
        self._max = max_message
        self._buffer = bytearray()
        self.ended = False
        # The frame being read; `_left` is what its payload still lacks, and -1 between frames.
        self._left, self._opcode, self._final, self._key = -1, CONTINUATION, True, b""
        # The message being read; `_kind` is 0 between messages.
        self._kind, self._size = CONTINUATION, 0
        self._parts: bytearray | None = None
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes."""
        events: list[Event] = []
        if self.ended:
            return events
        self._buffer += data
        at = 0
        try:
            at = self._parse(events)
        except _Broken as broken:
            events.append(Violation(broken.code, str(broken)))
            self.ended = True
        if self.ended:
            self._buffer, self._parts, self._decoder = bytearray(), None, None
        else:
            del self._buffer[:at]
        return events

    def _parse(self, events: list[Event]) -> int:
        buffer, at, end = self._buffer, 0, len(self._buffer)
        while not self.ended:
            if self._left < 0:
                size = self._header(at, end - at)
                if not size:
                    break
                at += size
            here = min(self._left, end - at)
            if here < self._left and (self._opcode >= CLOSE or not here):
                break
            payload = mask(buffer[at : at + here], self._key) if here else b""
            at += here
            if here < self._left:
                self._left -= here
                self._key = rotated(self._key, here)
                self._data(payload, False)
                break
            self._left = -1
            event = self._control(payload) if self._opcode >= CLOSE else self._data(payload, self._final)
            if event is not None:
                events.append(event)
        return at

    # -- headers (section 5.2)

    def _header(self, at: int, have: int) -> int:
        """Read the header at `at`; its size, or 0 where more is needed."""
        if have < 2:
            return 0
        first, second = self._buffer[at], self._buffer[at + 1]
        opcode, length = first & 0x0F, second & 0x7F
        if first & RESERVED:
            raise _Broken(PROTOCOL_ERROR, "reserved bits set without an extension")
        if not second & MASKED:
            raise _Broken(PROTOCOL_ERROR, "a client's frame must be masked")
        if opcode >= CLOSE:
            self._judge_control(opcode, bool(first & FIN), length)
        elif opcode > BINARY:
            raise _Broken(PROTOCOL_ERROR, f"unknown opcode {opcode}")
        elif (opcode == CONTINUATION) != (self._kind != CONTINUATION):
            raise _Broken(PROTOCOL_ERROR, "a continuation of nothing" if not opcode else "a new message inside a message")
        size = 6 if length < 126 else 8 if length == 126 else 14
        if have < size:
            return 0
        if length >= 126:
            length = self._long_length(at, length)
        if opcode < CLOSE:
            if self._size + length > self._max:
                raise _Broken(TOO_BIG, f"a message may have {self._max} bytes")
            if opcode:
                self._kind = opcode
            self._final = first >= FIN
        self._opcode, self._left = opcode, length
        self._key = bytes(self._buffer[at + size - 4 : at + size])
        return size

    @staticmethod
    def _judge_control(opcode: int, final: bool, length: int) -> None:
        if opcode > PONG:
            raise _Broken(PROTOCOL_ERROR, f"unknown opcode {opcode}")
        if not final:
            raise _Broken(PROTOCOL_ERROR, "a control frame in fragments")
        if length > MAX_CONTROL:
            raise _Broken(PROTOCOL_ERROR, f"a control frame may have {MAX_CONTROL} bytes")

    def _long_length(self, at: int, length: int) -> int:
        if length == 126:
            length, least = int.from_bytes(self._buffer[at + 2 : at + 4], "big"), 126
        else:
            length, least = int.from_bytes(self._buffer[at + 2 : at + 10], "big"), 0x10000
        if length < least:
            raise _Broken(PROTOCOL_ERROR, "a length not in its shortest form")
        if length >> 63:
            raise _Broken(PROTOCOL_ERROR, "a length with its highest bit set")
        return length

    # -- payloads

    def _data(self, payload: bytes, last: bool) -> Message | None:
        """Take a piece of a message; the message, where it was the last."""
        kind, whole = self._kind, last and self._parts is None
        if kind == TEXT:
            self._check_text(payload, last, whole)
        if not whole:
            if self._parts is None:
                self._parts = bytearray()
            self._parts += payload
            self._size += len(payload)
            if not last:
                return None
            payload = bytes(self._parts)
        self._kind, self._size, self._parts, self._decoder = CONTINUATION, 0, None, None
        return Message(kind == TEXT, payload)

    def _check_text(self, payload: bytes, last: bool, whole: bool) -> None:
        try:
            if whole:
                payload.decode("utf-8")
                return
            if self._decoder is None:
                self._decoder = codecs.getincrementaldecoder("utf-8")()
            self._decoder.decode(payload, last)
        except UnicodeDecodeError as error:
            raise _Broken(BAD_DATA, f"text that is not UTF-8: {error.reason}") from None

    def _control(self, payload: bytes) -> Event:
        if self._opcode == PING:
            return Ping(payload)
        if self._opcode == PONG:
            return Pong(payload)
        event = _close(payload)
        self.ended = True
        return event


def _close(payload: bytes) -> Close:
    """Section 5.5.1 and 7.4."""
    if not payload:
        return Close(NO_STATUS, "")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not may_be_sent(code):
        raise _Broken(PROTOCOL_ERROR, "a close code that may not be sent")
    try:
        return Close(code, payload[2:].decode("utf-8"))
    except UnicodeDecodeError:
        raise _Broken(BAD_DATA, "a close reason that is not UTF-8") from None
