"""Host names, exact and with a wildcard label."""

import pytest
from portico.core.names import Names


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        (["example.org"], b"example.org", True),
        (["EXAMPLE.org."], b"example.org", True),
        (["example.org"], b"a.example.org", False),
        (["example.org"], b"example.org.evil.test", False),
        (["*.example.org"], b"a.example.org", True),
        (["*.example.org"], b"example.org", False),
        (["*.example.org"], b"a.b.example.org", False),
        (["*.example.org"], b".example.org", False),
        (["*.example.org"], b"aexample.org", False),
        (["*.a.org", "b.org"], b"b.org", True),
        (["*.a.org", "b.org"], b"x.b.org", False),
        (["localhost"], b"localhost", True),
        (["127.0.0.1"], b"127.0.0.1", True),
        (["[::1]"], b"[::1]", True),
        (["a.org"], b"", False),
    ],
)
def test_names(patterns: list[str], name: bytes, expected: bool) -> None:
    assert (name in Names.of(patterns)) is expected


@pytest.mark.parametrize(
    "pattern",
    ["", "*", "*.", "*.*.org", "a.*.org", "a*.org", "a.org:80", "a..org", ".org", "bücher.org", "a b", "a.org/", "x" * 64],
)
def test_what_is_no_name(pattern: str) -> None:
    with pytest.raises(ValueError, match="expected a host name"):
        Names.of([pattern])


def test_in_words() -> None:
    assert str(Names.of(["*.b.org", "C.org", "a.org"])) == "a.org or c.org or *.b.org"
