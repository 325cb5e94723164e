"""Names: what is refused, and that nothing that is accepted leads anywhere else."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uploadsvc.names import LONGEST_NAME, BadName, check, disposition, from_segment, quoted


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        (b"a", "a"),
        (b"a b.tar.gz", "a b.tar.gz"),
        (b"100%25", "100%"),
        (b"%25", "%"),
        (b"..a"[2:] + b"..", "a.."),
        ("ünï.txt".encode(), "ünï.txt"),
        ("u\u0308.txt".encode(), "ü.txt"),
        (b"x" * LONGEST_NAME, "x" * LONGEST_NAME),
        ("語".encode() * 85, "語" * 85),
        (b"-rf", "-rf"),
        (b"con?", "con?"),
    ],
)
def test_good_names(segment: bytes, name: str) -> None:
    assert from_segment(segment) == name
    assert check(name) == name


@pytest.mark.parametrize(
    "segment",
    [
        b"",
        b".",
        b"..",
        b".hidden",
        b".parts",
        b"a/b",
        b"a%2Fb",
        b"%2F",
        b"%2Fetc%2Fpasswd",
        b"..%2F..%2Fetc%2Fpasswd",
        b"a\\b",
        b"..\\..\\x",
        b"a\0b",
        b"a\nb",
        b"a\rb",
        b"a\x1bb",
        b"a\x7fb",
        "a\u0085b".encode(),
        "a\u2028b".encode(),
        "exe.\u202etxt".encode(),
        "\u200fa".encode(),
        "a\uffff".encode(),
        "\ufffe".encode(),
        b"\xff",
        b"\xc0\xae\xc0\xae",  # an overlong ".."
        b"\xed\xa0\x80",  # a surrogate
        b"x" * (LONGEST_NAME + 1),
        "語".encode() * 86,
    ],
)
def test_bad_names(segment: bytes) -> None:
    with pytest.raises(BadName):
        from_segment(segment)


def test_length_counts_after_normalisation() -> None:
    # U+0958 decomposes in NFC: 3 bytes become 6.
    assert from_segment("\u0958".encode() * 42)
    with pytest.raises(BadName, match="255"):
        from_segment("\u0958".encode() * 43)


def test_check_wants_nfc() -> None:
    with pytest.raises(BadName, match="NFC"):
        check("u\u0308")


@given(st.binary(max_size=300))
def test_an_accepted_name_is_one_plain_name(segment: bytes) -> None:
    try:
        name = from_segment(segment)
    except BadName:
        return
    assert os.path.normpath(os.path.join("/root", name)) == "/root/" + name
    assert os.path.dirname(os.path.join("/root", name)) == "/root"
    assert unicodedata.is_normalized("NFC", name)
    assert from_segment(quoted(name).encode().replace(b"%2F", b"/")) == name


@given(st.text(min_size=1, max_size=40).filter(lambda text: "/" not in text))
def test_the_disposition_is_one_header_line(text: str) -> None:
    try:
        name = check(unicodedata.normalize("NFC", text))
    except BadName:
        return
    line = disposition(name)
    assert line.isascii() and b"\n" not in line and b"\r" not in line
    assert line.count(b'"') == 2


def test_disposition() -> None:
    assert disposition('a "b" ü%.txt') == b"attachment; filename=\"a _b_ __.txt\"; filename*=UTF-8''a%20%22b%22%20%C3%BC%25.txt"
