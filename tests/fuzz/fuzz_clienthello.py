"""Fuzz the parser of TLS ClientHellos: nothing but `NotTls` is raised, and pieces do not change what is found.

python tests/fuzz/fuzz_clienthello.py -max_total_time=600 [CORPUS]     (needs atheris; not among the project's requirements)
"""

import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["portico.core"]):
    from portico.core.clienthello import HelloReader, NotTls, TlsFacts

Outcome = TlsFacts | str | None


def read(data: bytes, sizes: bytes) -> Outcome:
    """Facts, None for "more", or why not; delivered in pieces of `sizes`, the rest at once."""
    reader, at = HelloReader(), 0
    try:
        for size in sizes:
            at += 1 + size
            found = reader.read(data[:at])
            if found is not None:
                return found
        return reader.read(data)
    except NotTls as error:
        return str(error)


def reframed(message: bytes, size: int) -> bytes:
    """A handshake message in records of `size` bytes."""
    pieces = (message[at : at + size] for at in range(0, len(message), size))
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def check(data: bytes) -> None:
    """Raise where something that must hold does not."""
    count = data[0] % 16 if data else 0
    sizes, data = data[1 : 1 + count], data[1 + count :]
    assert_same(data, sizes)
    # most inputs fail at the first record's header, so the same bytes are also tried as a message in sound records
    message = b"\x01" + len(data).to_bytes(3, "big") + data
    for record in (7 + 37 * count, 1 << 14):
        framed = reframed(message, record)
        outcome = assert_same(framed, sizes)
        assert outcome is not None
        assert read(framed + b"\x16trailing", b"") == outcome


def assert_same(data: bytes, sizes: bytes) -> Outcome:
    """Whole and in pieces alike."""
    whole = read(data, b"")
    assert read(data, sizes) == whole, (whole, read(data, sizes))
    if isinstance(whole, TlsFacts):
        assert whole.sni is None or (whole.sni == whole.sni.lower() and whole.sni.isascii())
        assert all(whole.alpn)
    return whole


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
