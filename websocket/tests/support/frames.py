"""Frames of a client, and what the parser makes of them, in pieces and whole."""

from websocketsvc.events import Event
from websocketsvc.frames import FrameParser
from websocketsvc.masking import mask

LIMIT = 100_000
KEY = b"\x37\xfa\x21\x3d"


def frame(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0) -> bytes:
    size = len(payload)
    head = (
        bytes((size,))
        if size < 126
        else b"\x7e" + size.to_bytes(2, "big")
        if size < 65536
        else b"\x7f" + size.to_bytes(8, "big")
    )
    head = bytes(((0x80 if fin else 0) | rsv << 4 | opcode, head[0] | 0x80)) + head[1:]
    return head + KEY + mask(payload, KEY)


def in_pieces(stream: bytes, cuts: list[int], limit: int = LIMIT) -> list[Event]:
    parser, events, last = FrameParser(limit), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        events += parser.feed(stream[last:cut])
        last = cut
    return events


def parse(stream: bytes, limit: int = LIMIT) -> list[Event]:
    """The events of a stream, which must be the same whole and byte by byte."""
    whole = in_pieces(stream, [], limit)
    assert in_pieces(stream, list(range(len(stream))), limit) == whole
    return whole
