"""A client's side of the wire, in memory."""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from websocketsvc.door import DoorFactory
from websocketsvc.masking import mask

__all__ = ["ACCEPT", "KEY", "Client", "Wire", "client_frame", "opening", "server_frames"]

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # both from RFC 6455 section 1.3
FIELDS = {
    "Host": "example.org",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY.decode(),
    "Sec-WebSocket-Version": "13",
}


def client_frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, key: bytes | None = b"\x37\xfa\x21\x3d", rsv: int = 0
) -> bytes:
    """A frame as a client sends it, and as it must not: `key=None` leaves it unmasked."""
    first, size = (0x80 if fin else 0) | rsv << 4 | opcode, len(payload)
    masked = 0x80 if key else 0
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 65536:
        head = bytes((first, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8, "big")
    return head + (key + mask(payload, key) if key else payload)


def server_frames(data: bytes) -> list[tuple[int, bytes]]:
    """The frames that a server sent, each whole: opcode and payload."""
    found = []
    while data:
        assert data[0] & 0xF0 == 0x80, "a server's frame is final, without extensions"
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        assert len(data) >= at + size, "cut in the middle of a frame"
        found.append((data[0] & 15, data[at : at + size]))
        data = data[at + size :]
    return found


def opening(path: str = "/", **changed: str | None) -> bytes:
    """An opening request; a field that is None is left out, `_` in a name is a hyphen."""
    fields = FIELDS | {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")


class Wire(StringTransport):
    """A TCP transport in memory that can close one direction, and that ends when it is told to."""

    producer: Any
    """An IPushProducer while one is registered, else None; a test that tells it something relies on it."""

    def __init__(self) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.7", 40000))
        self.half_closed = self.aborted = False

    def loseWriteConnection(self) -> None:
        assert self.producer is None, "a producer keeps the transport from closing"
        self.half_closed = True

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True

    @property
    def closing(self) -> bool:
        return self.half_closed or self.disconnecting

    def resumeProducing(self) -> None:
        if not self.disconnecting:  # StringTransport asserts that it is connected; TCP does not mind
            self.producerState = "producing"

    def pauseProducing(self) -> None:
        self.producerState = "paused"


class Client:
    """A connection to a factory, in memory."""

    def __init__(self, factory: DoorFactory, clock: Clock) -> None:
        self.clock, self.wire = clock, Wire()
        self.door = factory.buildProtocol(self.wire.getPeer())
        self.door.makeConnection(self.wire)

    def send(self, data: bytes) -> "Client":
        self.door.dataReceived(data)
        return self

    def received(self) -> bytes:
        data: bytes = self.wire.value()
        self.wire.clear()
        return data

    def open(self, path: str, **changed: str | None) -> "Client":
        self.send(opening(path, **changed))
        answer = self.received()
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        assert answer.endswith(b"\r\n\r\n")
        return self

    def frames(self) -> list[tuple[int, bytes]]:
        return server_frames(self.received())

    def lose(self, why: Exception | None = None) -> None:
        self.door.connectionLost(Failure(why or ConnectionDone()))
