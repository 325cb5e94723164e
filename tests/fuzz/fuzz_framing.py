"""Fuzz what decides where messages end: heads, framing, chunked bodies. For atheris, which is no requirement of the project.

    pip install atheris
    PYTHONPATH=router/src:svckit/src python tests/fuzz/fuzz_framing.py -max_len=2048 -max_total_time=600

What must hold for any bytes: no exception; the same verdict however the bytes are cut; nothing taken beyond the end; what the
short way says, the long way says too; what is let through is read in the same way by a second reader, which stands here.
"""

import re
import sys

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["portico"]):
    from portico.core.answers import Answer
    from portico.core.body import CHUNKED, body_of
    from portico.core.chunked import MALFORMED, Chunked
    from portico.core.forwarding import request_fields, response_head
    from portico.core.framing import RequestFrame, frame_request, frame_response
    from portico.core.head import HeadReader, read_head
    from portico.core.response import ResponseReader, is_plain, read_response

_CHUNK = re.compile(rb"([0-9a-fA-F]+)(?:;[^\r\n]*)?\r\n")


def one_input(data: bytes) -> None:
    """Each input goes through everything; its first two bytes say where it is cut."""
    wire = data[2:]
    cut = int.from_bytes(data[:2], "big") % (len(wire) + 1)
    _request(wire, cut)
    _request(b"POST / HTTP/1.1\r\nHost: h\r\n" + wire, cut)
    _response(wire)
    _response(b"HTTP/1.1 200 OK\r\n" + wire)
    _chunked(wire, cut)


def _request(wire: bytes, cut: int) -> None:
    head = read_head(wire)
    reader = HeadReader(65_536)
    found = reader.read(wire[:cut]) or reader.read(wire)
    if head is None:
        return
    assert found == head or isinstance(found, Answer), (found, head)
    frame = frame_request(head)
    if isinstance(frame, Answer):
        return
    fields = request_fields(head, frame, b"192.0.2.1", b"http")
    again = read_head(b"GET / HTTP/1.1\r\n" + fields)
    assert again is not None, fields
    if head.minor:
        second = frame_request(again)
        assert isinstance(second, RequestFrame), (fields, second)
        assert (second.length, second.host) == (frame.length, frame.host)
        assert request_fields(again, second, b"", b"").count(b"X-Forwarded-Proto") == 1
    body = body_of(frame.length)
    taken = body.feed(wire, head.end)
    assert taken == MALFORMED or 0 <= taken <= len(wire) - head.end


def _response(wire: bytes) -> None:
    head = read_response(wire)
    found = ResponseReader().read(wire)
    plain = is_plain(wire)
    if head is None:
        assert plain is None
        return
    assert found == head
    frame = frame_response(head, b"GET", False)
    if isinstance(frame, Answer):
        assert plain is None
        return
    if plain is not None:
        assert plain.end() == head.end
        assert frame.length == (CHUNKED if plain[1] is None else int(plain[1]))
    assert read_response(response_head(wire, head, frame, True)) is not None


def _chunked(wire: bytes, cut: int) -> None:
    whole = Chunked()
    taken = whole.feed(wire)
    parts = Chunked()
    first = parts.feed(wire[:cut])
    if first != MALFORMED and not parts.complete:
        rest = parts.feed(wire[cut:])
        first = MALFORMED if rest == MALFORMED else first + rest
    assert first == taken
    assert parts.complete == whole.complete or taken == MALFORMED
    if whole.complete:
        assert _second_reader(wire) == taken


def _second_reader(wire: bytes) -> int:
    at = 0
    while True:
        line = _CHUNK.match(wire, at)
        assert line is not None
        size, at = int(line[1], 16), line.end()
        if not size:
            break
        at += size
        assert wire[at : at + 2] == b"\r\n"
        at += 2
    if wire[at : at + 2] == b"\r\n":
        return at + 2
    return wire.index(b"\r\n\r\n", at) + 4


if __name__ == "__main__":
    atheris.enabled_hooks.add("RegEx")
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
