"""What the frame parser tells, and one frame as a server sends it (RFC 6455 section 5)."""

from typing import NamedTuple

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "FIN",
    "MASKED",
    "MAX_CONTROL",
    "PING",
    "PONG",
    "RESERVED",
    "TEXT",
    "Close",
    "Event",
    "Message",
    "Ping",
    "Pong",
    "Violation",
    "encode",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RESERVED, MASKED = 0x80, 0x70, 0x80
MAX_CONTROL = 125
"""Bytes in a control frame (section 5.5)."""


class Message(NamedTuple):
    """A whole message, reassembled."""

    text: bool
    payload: bytes
    """Valid UTF-8 if it is text."""


class Ping(NamedTuple):
    payload: bytes


class Pong(NamedTuple):
    payload: bytes


class Close(NamedTuple):
    """The peer's Close; nothing is parsed after it."""

    code: int
    """`NO_STATUS` where the frame carried none."""
    reason: str


class Violation(NamedTuple):
    """The peer broke the protocol or a limit; nothing is parsed after it."""

    code: int
    """With which to fail the connection (section 7.1.7)."""
    reason: str


Event = Message | Ping | Pong | Close | Violation


def encode(opcode: int, payload: bytes) -> bytes:
    """One whole frame as a server sends it: final and unmasked (section 5.1), its length in the shortest form."""
    length = len(payload)
    if length < 126:
        return bytes((FIN | opcode, length)) + payload
    if length < 0x10000:
        return bytes((FIN | opcode, 126)) + length.to_bytes(2, "big") + payload
    return bytes((FIN | opcode, 127)) + length.to_bytes(8, "big") + payload
