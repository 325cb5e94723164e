"""The Basic scheme."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svckit.auth import basic
from svckit.auth.errors import Malformed
from svckit.auth.limits import MAX_PASSWORD, MAX_USER


def encoded(pair: bytes) -> bytes:
    return base64.b64encode(pair)


def test_the_example_of_the_rfc() -> None:
    """RFC 7617 section 2, and section 2.1 with UTF-8."""
    found = basic.read(b"QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert (found.username, found.password) == (b"Aladdin", b"open sesame")
    found = basic.read(b"dGVzdDoxMjPCow==")
    assert (found.username, found.password) == (b"test", "123£".encode())


def test_the_first_colon_ends_the_name() -> None:
    found = basic.read(encoded(b"a:b:c:"))
    assert (found.username, found.password) == (b"a", b"b:c:")


def test_an_empty_password_can_be_said() -> None:
    assert basic.read(encoded(b"a:")).password == b""


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"!!!",
        b"QWxhZGRpbg",
        b"QWxhZGRpbjpv cGVu",
        b"YTpi\n",
        b"YTpi=",
        b"YTpi, x=1",
        b"\xff",
        encoded(b"no colon"),
        encoded(b":x"),
    ],
)
def test_malformed(token: bytes) -> None:
    with pytest.raises(Malformed):
        basic.read(token)


@pytest.mark.parametrize("byte", [*range(32), 127])
def test_control_characters_are_refused(byte: int) -> None:
    with pytest.raises(Malformed):
        basic.read(encoded(b"a:b" + bytes([byte])))


def test_the_limits() -> None:
    assert basic.read(encoded(b"u" * MAX_USER + b":" + b"p" * MAX_PASSWORD)).username == b"u" * MAX_USER
    for pair in (b"u" * (MAX_USER + 1) + b":p", b"u:" + b"p" * (MAX_PASSWORD + 1)):
        with pytest.raises(Malformed):
            basic.read(encoded(pair))


def test_each_beginning_of_a_token_is_another_pair_or_malformed() -> None:
    token = encoded(b"user:password")
    for end in range(len(token)):
        try:
            found = basic.read(token[:end])
        except Malformed:
            continue
        assert b"user:password".startswith(found.username + b":" + found.password)
        assert found.password != b"password"


@given(st.binary(max_size=100))
def test_nothing_but_malformed_is_ever_raised(token: bytes) -> None:
    try:
        basic.read(token)
    except Malformed:
        pass
    else:
        assert base64.b64decode(token)


def test_the_challenge_asks_for_utf_8() -> None:
    assert basic.challenge(b'a "b"') == b'Basic realm="a \\"b\\"", charset="UTF-8"'
