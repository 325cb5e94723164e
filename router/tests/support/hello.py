"""ClientHellos: what OpenSSL sends, what a hand can make, and how the reader is fed."""

import ssl

import pytest
from portico.core.clienthello import HelloReader, NotTls, TlsFacts

HEADER = 5


def real(name: str | None = "a.example.org", alpn: list[str] | None = None, ceiling: ssl.TLSVersion | None = None) -> bytes:
    """What OpenSSL sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if alpn:
        context.set_alpn_protocols(alpn)
    if ceiling:
        context.maximum_version = ceiling
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


def reframed(hello: bytes, size: int) -> bytes:
    """The same message in records of `size` bytes."""
    message = hello[HEADER:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def read(data: bytes) -> TlsFacts | None:
    return HelloReader().read(data)


def agreed(data: bytes) -> TlsFacts | str | None:
    """What is found, or why not: the same whole, byte by byte, and with trailing bytes."""
    outcomes: list[TlsFacts | str | None] = []
    for deliver in (whole, byte_by_byte):
        try:
            outcomes.append(deliver(data))
        except NotTls as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
    if isinstance(outcomes[0], TlsFacts):
        assert read(data + b"\x14\x03\x03\x00\x01\x01") == outcomes[0]
        assert read(data + b"\xffanything") == outcomes[0]
    return outcomes[0]


def whole(data: bytes) -> TlsFacts | None:
    return read(data)


def byte_by_byte(data: bytes) -> TlsFacts | None:
    reader = HelloReader()
    for end in range(len(data)):
        found = reader.read(data[:end])
        assert found is None, f"decided at {end} of {len(data)} bytes"
    return reader.read(data)


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, data)


def make_message(
    extensions: bytes | None = b"",
    *,
    version: bytes = b"\x03\x03",
    session: bytes = b"",
    suites: bytes = b"\x13\x01",
    compression: bytes = b"\0",
    rest: bytes = b"",
) -> bytes:
    body = version + bytes(32) + vector(1, session) + vector(2, suites) + vector(1, compression)
    body += b"" if extensions is None else vector(2, extensions)
    return b"\x01" + vector(3, body + rest)


def framed(message: bytes) -> bytes:
    return reframed(bytes(HEADER) + message, 1 << 14)


def sni(*names: bytes, kind: int = 0) -> bytes:
    return extension(0, vector(2, b"".join(bytes([kind]) + vector(2, name) for name in names)))
