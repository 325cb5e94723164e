"""The grammar of an Authorization header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svckit.auth.errors import Malformed
from svckit.auth.params import MAX_HEADER, quote, read_params, split_scheme


def test_a_scheme_is_case_insensitive_and_leaves_the_rest() -> None:
    assert split_scheme(b"dIgEsT  a=1") == (b"digest", b"a=1")
    assert split_scheme(b"Basic") == (b"basic", b"")


@pytest.mark.parametrize("header", [b"", b" Basic x", b'"Basic" x', b"Basic\tx", b"Basic,x", b"Basic/x", b"\xff x"])
def test_no_scheme(header: bytes) -> None:
    with pytest.raises(Malformed):
        split_scheme(header)


def test_a_header_of_the_largest_size_is_read_and_one_byte_more_is_not() -> None:
    largest = b"Basic " + b"x" * (MAX_HEADER - 6)
    assert split_scheme(largest)[0] == b"basic"
    with pytest.raises(Malformed, match=str(MAX_HEADER)):
        split_scheme(largest + b"x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", {}),
        (b"a=1", {"a": b"1"}),
        (b'a="1"', {"a": b"1"}),
        (b'a=""', {"a": b""}),
        (b'A = "1" , b\t=\t2', {"a": b"1", "b": b"2"}),
        (b'a="1",b=2,c="3"', {"a": b"1", "b": b"2", "c": b"3"}),
        (b'a="x, b=2", b=3', {"a": b"x, b=2", "b": b"3"}),
        (b'a="\\"\\\\\\x"', {"a": b'"\\x'}),
        (b'a="\xc3\xa4"', {"a": b"\xc3\xa4"}),
        (b"a=1, , ,b=2, ", {"a": b"1", "b": b"2"}),
        (b"username*=UTF-8''x", {"username*": b"UTF-8''x"}),
    ],
)
def test_parameters(text: bytes, expected: dict[str, bytes]) -> None:
    assert read_params(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"a",
        b"a=",
        b"=1",
        b",a=1",
        b'a="1',
        b'a="1\\',
        b'a="1\\"',
        b'a="1"b=2',
        b"a=1 b=2",
        b"a=1;b=2",
        b'a="\x00"',
        b'a="\n"',
        b'a="\\\x7f"',
        b"a=\xc3\xa4",
        b"a=1, a=2",
        b"a=1, A=2",
        b'a=1"2"',
        b"a=1\n",
        b"a=1 x",
    ],
)
def test_what_is_no_list_of_parameters(text: bytes) -> None:
    with pytest.raises(Malformed):
        read_params(text)


def test_every_beginning_of_a_list_is_a_shorter_list_or_malformed() -> None:
    whole = b'username="a\\"b", nc=00000001 , qop = auth'
    names = list(read_params(whole))
    assert names == ["username", "nc", "qop"]
    for end in range(len(whole)):
        try:
            found = list(read_params(whole[:end]))
        except Malformed:
            continue
        assert found == names[: len(found)]


def test_trailing_bytes_are_not_overlooked() -> None:
    for byte in range(256):
        trailing = bytes([byte])
        if trailing in b" \t,":
            assert read_params(b'a="1"' + trailing) == {"a": b"1"}
        else:
            with pytest.raises(Malformed):
                read_params(b'a="1"' + trailing)


@given(st.binary(max_size=200))
def test_nothing_but_malformed_is_ever_raised(text: bytes) -> None:
    try:
        found = read_params(text)
    except Malformed:
        return
    assert all(name == name.lower() for name in found)


@given(st.binary().map(lambda raw: bytes(byte for byte in raw if byte == 9 or (byte >= 32 and byte != 127))))
def test_what_is_quoted_reads_back(value: bytes) -> None:
    assert read_params(b"a=" + quote(value)) == {"a": value}


def test_a_hostile_header_takes_linear_work() -> None:
    """Each would take a backtracking pattern hours."""
    for text in (b'a="' + b"\\" * (MAX_HEADER - 10), b"a=1" + b" ," * 4000 + b"x", b"a" + b" " * 8000, b'a="' + b"\\x" * 4000):
        with pytest.raises(Malformed):
            read_params(text)
