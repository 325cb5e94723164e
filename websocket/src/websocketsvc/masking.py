"""Masking (RFC 6455 section 5.3): every byte from a client is XORed with a four-byte key.

Three ways, each the fastest for its size (CPython 3.11, microseconds):

    bytes                        64     1024    4096    65536    1 MiB
    one big integer             0.8      4.3     8.9      123     3700
    a table for each key byte   1.5      3.7     5.2      114     1900
    Autobahn's NVX (compiled)   4.7      5.3     3.7       15      107

So the integer for small payloads, and for large ones the accelerator, or the tables where it was not built. A loop over
the bytes, as txWS has, takes 130 ms a MiB and holds up everybody else on the reactor.
"""

from autobahn.websocket import USES_NVX
from autobahn.websocket.xormasker import create_xor_masker  # type: ignore[attr-defined]

__all__ = ["mask", "rotated"]

LARGE = 2048
"""Bytes from which on setting up the accelerator, or four tables, pays."""

_TABLES = [bytes(byte ^ key for byte in range(256)) for key in range(256)]


def mask(data: bytes | bytearray, key: bytes) -> bytes:
    """`data` masked or unmasked with a key of four bytes; the first byte of `data` meets the first of `key`."""
    if len(data) < LARGE:
        return _by_integer(data, key)
    return _by_accelerator(data, key) if USES_NVX else _by_table(data, key)


def rotated(key: bytes, consumed: int) -> bytes:
    """The key for what follows in a frame of which `consumed` bytes are unmasked."""
    at = consumed & 3
    return key[at:] + key[:at]


def _by_integer(data: bytes | bytearray, key: bytes) -> bytes:
    size = len(data)
    keys = int.from_bytes((key * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(data, "little") ^ keys).to_bytes(size, "little")


def _by_table(data: bytes | bytearray, key: bytes) -> bytes:
    out = bytearray(data)
    for at in range(4):
        out[at::4] = out[at::4].translate(_TABLES[key[at]])
    return bytes(out)


def _by_accelerator(data: bytes | bytearray, key: bytes) -> bytes:
    masked: bytes = create_xor_masker(key, len(data)).process(data)
    return masked
