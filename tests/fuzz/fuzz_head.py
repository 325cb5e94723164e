"""Fuzz the parser of request heads: the same bytes must mean the same in one piece and in any pieces.

python tests/fuzz/fuzz_head.py -max_total_time=600 [CORPUS]     (needs atheris; not among the project's requirements)
"""

import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["portico.core", "svckit.paths"]):
    from portico.core.answers import BAD_REQUEST, HEAD_TOO_LARGE, MANY_FIELDS, NOT_HTTP, VERSION, Answer
    from portico.core.head import Head, HeadReader, read_head
    from svckit.paths import BadTarget, normalise

LIMIT = 512
ANSWERS = (BAD_REQUEST, HEAD_TOO_LARGE, MANY_FIELDS, NOT_HTTP, VERSION)


def in_pieces(data: bytes, sizes: bytes) -> Head | Answer | None:
    """What a reader says of `data`, delivered in pieces of `sizes`, as soon as it says something."""
    reader, at = HeadReader(LIMIT), 0
    for size in sizes:
        at += 1 + size % 64
        found = reader.read(data[:at])
        if found is not None:
            return found
    return reader.read(data)


def check(data: bytes) -> None:
    """Raise where something that must hold does not."""
    count = data[0] % 16 if data else 0
    sizes, data = data[1 : 1 + count], data[1 + count :]
    quick = read_head(data)
    whole = HeadReader(LIMIT).read(data)
    pieces = in_pieces(data, sizes)
    assert whole is None or isinstance(whole, Head) or whole in ANSWERS
    if quick is not None and quick.end <= LIMIT:
        assert whole == quick, (quick, whole)
    if isinstance(whole, Head):
        assert quick == whole
        assert pieces == whole, (whole, pieces)
        assert data[: whole.end].endswith(b"\r\n\r\n")
        assert read_head(data[: whole.end]) == whole
        assert read_head(data[: whole.end] + b"GET / HTTP/1.1\r\n\r\n") == whole
        check_path(whole.target)
    elif whole is None:
        assert pieces is None, pieces
        assert len(data) < LIMIT
    else:
        assert isinstance(pieces, Answer), (whole, pieces)


def check_path(target: bytes) -> None:
    """A normal form is its own normal form, begins with a slash, and has no empty or dot segment."""
    try:
        path = normalise(target)
    except BadTarget:
        return
    if path == b"*":
        return
    assert path.startswith(b"/") and b"\0" not in path
    assert not {b".", b".."} & set(path.split(b"/"))
    assert b"//" not in path
    if b"?" not in path and b"#" not in path and b"%" not in path:
        assert normalise(path) == path


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
