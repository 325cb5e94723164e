"""What a TLS client says first, read without terminating: the name that it wants (SNI) and the protocols that it offers (ALPN).

A ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) may be spread over several TLS records, and each record over
several segments. `HelloReader` is asked again for every new piece; it answers None for "I need more" and raises `NotTls` as
soon as the bytes cannot become a ClientHello, mostly at the first byte. It keeps its place, so no byte is looked at twice
however small the pieces are.

Strict where the formats are: every length must add up, no record of another type in between, no extension twice. Tolerant
where the formats ask for it (RFC 8701, GREASE): unknown cipher suites, extensions, protocols and versions are passed over.

With Encrypted Client Hello the name found is the outer one.
"""

from typing import NamedTuple

__all__ = ["LARGEST", "HelloReader", "NotTls", "TlsFacts", "make_hello"]

LARGEST = 65_536
"""Largest ClientHello, in bytes; a client that announces more is refused. The preface's own limit is usually lower."""

_RECORD_HEADER = 5
_LARGEST_RECORD = 1 << 14
_MESSAGE_HEADER = 4
_HANDSHAKE, _CLIENT_HELLO, _MAJOR = 22, 1, 3
_SERVER_NAME, _ALPN = 0, 16
_HOST_NAME = 0


class NotTls(ValueError):
    """The bytes are not a ClientHello; the text says where they differ."""


class TlsFacts(NamedTuple):
    """What is known of a TLS connection: offered by the client, or agreed on where TLS ended here."""

    sni: bytes | None
    """Host name in lower case, None where the client sent none."""
    alpn: tuple[bytes, ...]
    """Protocols that the client offers, the one it likes best first; or the one that was agreed on."""


class HelloReader:
    """Reads a ClientHello that comes in pieces."""

    __slots__ = ("_at", "_length", "_message", "_record_left")

    def __init__(self) -> None:
        self._at = 0  # in the buffer: the next byte that was not looked at
        self._record_left = 0  # bytes of the current record that are still to come
        self._message = bytearray()  # what the records have carried so far
        self._length = 0  # of the whole message with its header, 0 while unknown

    def read(self, buffer: bytes) -> TlsFacts | None:
        """Read on; `buffer` is the one of the last call with more at its end.

        Raises:
            NotTls: it is not the beginning of a ClientHello.
        """
        while True:
            if not self._record_left and not self._next_record(buffer):
                return None
            piece = buffer[self._at : self._at + self._record_left]
            if not piece:
                return None
            self._at += len(piece)
            self._record_left -= len(piece)
            self._message += piece
            self._check_length()
            if self._length and len(self._message) + self._record_left >= self._length:
                if len(self._message) + self._record_left > self._length:
                    raise NotTls("more in the record than the ClientHello")
                if not self._record_left:
                    return _parse(bytes(self._message))

    def _next_record(self, buffer: bytes) -> bool:
        """Take a record's header; False while it is not all there."""
        header = buffer[self._at : self._at + _RECORD_HEADER]
        if header[:1] not in (b"", b"\x16"):
            raise NotTls("not a handshake record")
        if header[1:2] not in (b"", b"\x03"):
            raise NotTls("not a version of TLS")
        if len(header) < _RECORD_HEADER:
            return False
        length = header[3] << 8 | header[4]
        if not 0 < length <= _LARGEST_RECORD:
            raise NotTls("a record's length is out of bounds")
        self._at += _RECORD_HEADER
        self._record_left = length
        return True

    def _check_length(self) -> None:
        """Look at the message's own header as soon as it is there."""
        if self._message[0] != _CLIENT_HELLO:
            raise NotTls("not a ClientHello")
        if not self._length and len(self._message) >= _MESSAGE_HEADER:
            self._length = _MESSAGE_HEADER + int.from_bytes(self._message[1:_MESSAGE_HEADER], "big")
            if self._length > LARGEST:
                raise NotTls("larger than any ClientHello that this server takes")


class _Fields:
    """Takes fields off the front of a piece of the message; each length is checked."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise NotTls("a field is cut short")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """What follows a length of `size` bytes."""
        return self.take(self.number(size))

    def only_vector(self, size: int) -> "_Fields":
        """A vector that fills all that is left, and is not empty."""
        inner = self.vector(size)
        if self or not inner:
            raise NotTls("a list does not fill its extension")
        return _Fields(inner)


def _parse(message: bytes) -> TlsFacts:
    fields = _Fields(message)
    fields.take(_MESSAGE_HEADER)
    if fields.take(2)[0] != _MAJOR:
        raise NotTls("not a version of TLS")
    fields.take(32)  # random
    if len(fields.vector(1)) > 32:
        raise NotTls("a session id is too long")
    suites = fields.vector(2)
    if not suites or len(suites) % 2:
        raise NotTls("the list of cipher suites is malformed")
    if not fields.vector(1):
        raise NotTls("no compression method, not even null")
    sni: bytes | None = None
    alpn: tuple[bytes, ...] = ()
    seen: set[int] = set()
    extensions = _Fields(fields.vector(2)) if fields else _Fields(b"")
    if fields:
        raise NotTls("more in the message than its extensions")
    while extensions:
        kind, data = extensions.number(2), extensions.vector(2)
        if kind in seen:
            raise NotTls("an extension stands there twice")
        seen.add(kind)
        if kind == _SERVER_NAME:
            sni = _server_name(_Fields(data))
        elif kind == _ALPN:
            alpn = _protocols(_Fields(data))
    return TlsFacts(sni, alpn)


def _server_name(extension: _Fields) -> bytes | None:
    """RFC 6066 section 3: at most one name of each type; host names are ASCII."""
    names = extension.only_vector(2)
    found = None
    while names:
        kind, name = names.number(1), names.vector(2)
        if kind != _HOST_NAME:
            continue
        if found is not None or not name or not all(0x20 < byte < 0x7F for byte in name):
            raise NotTls("the server name is malformed")
        found = name.lower().removesuffix(b".")
    return found


def _protocols(extension: _Fields) -> tuple[bytes, ...]:
    """RFC 7301 section 3.1: names of one byte or more."""
    names = extension.only_vector(2)
    found = []
    while names:
        name = names.vector(1)
        if not name:
            raise NotTls("a protocol's name is empty")
        found.append(name)
    return tuple(found)


def make_hello(facts: TlsFacts) -> bytes:
    """The smallest ClientHello, in one record, that says `facts`; to ask a route table what it would do."""
    extensions = b""
    if facts.sni is not None:
        extensions += _extension(_SERVER_NAME, _vector(2, bytes([_HOST_NAME]) + _vector(2, facts.sni)))
    if facts.alpn:
        extensions += _extension(_ALPN, _vector(2, b"".join(_vector(1, name) for name in facts.alpn)))
    body = b"\x03\x03" + bytes(32) + _vector(1, b"") + _vector(2, b"\x13\x01") + _vector(1, b"\0") + _vector(2, extensions)
    message = bytes([_CLIENT_HELLO]) + _vector(3, body)
    return bytes([_HANDSHAKE, _MAJOR, 1]) + _vector(2, message)


def _vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def _extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _vector(2, data)
