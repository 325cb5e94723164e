"""Accept-Encoding: which forms a client takes, and in which order they are tried."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from staticsvc.codings import accepted


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (b"gzip, deflate, br, zstd", ["br", "zstd", "gzip"]),
        (b"gzip", ["gzip"]),
        (b"x-gzip", ["gzip"]),
        (b"GZIP", ["gzip"]),
        (b"br;q=0.5, gzip;q=0.9", ["gzip", "br"]),
        (b"br;q=0, gzip", ["gzip"]),
        (b"br ; Q=1.000 ,gzip; q=0.001", ["br", "gzip"]),
        (b"*", ["br", "zstd", "gzip"]),
        (b"*;q=0.1, gzip", ["gzip", "br", "zstd"]),
        (b"*, br;q=0", ["zstd", "gzip"]),
        (b"identity", []),
        (b"", []),
        (b"gzip;q=2", []),
        (b"gzip;level=1", []),
        (b"gzip br", []),
        (b"deflate, \xff", []),
        (b"gzip, " + b"x, " * 200, []),
    ],
)
def test_accepted(header: bytes, names: list[str]) -> None:
    assert [coding.name.decode() for coding in accepted(header)] == names


@given(st.binary(max_size=60))
def test_any_header_is_survived(header: bytes) -> None:
    assert len(accepted(header)) <= 3
