"""Content types."""

import pytest
from staticsvc.types import UNKNOWN, content_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"a.html", b"text/html; charset=utf-8"),
        (b"A.HTML", b"text/html; charset=utf-8"),
        (b"a.mjs", b"text/javascript; charset=utf-8"),
        (b"a.json", b"application/json"),
        (b"a.svg", b"image/svg+xml"),
        (b"a.wasm", b"application/wasm"),
        (b"a.webp", b"image/webp"),
        (b"a.tar.gz", b"application/gzip"),
        (b"page.html.gz", b"application/gzip"),
        (b"a.b.txt", b"text/plain; charset=utf-8"),
        ("ü.txt".encode(), b"text/plain; charset=utf-8"),
        (b"README", UNKNOWN),
        (b"html", UNKNOWN),
        (b"a.html~", UNKNOWN),
        (b"a.", UNKNOWN),
        (b"a.php", UNKNOWN),
        (b"\xff.\xff", UNKNOWN),
    ],
)
def test_content_type(name: bytes, expected: bytes) -> None:
    assert content_type(name) == expected
