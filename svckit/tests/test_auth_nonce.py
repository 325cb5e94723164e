"""Nonces without memory."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svckit.auth.errors import Malformed
from svckit.auth.nonce import BOUND_CHARACTERS, NONCE_CHARACTERS, Nonce, NonceKey, open_nonce

KEY, OTHER = NonceKey(b"k" * 32), NonceKey(b"o" * 32)
MINTED = KEY.mint(b"portico", 1234.5678, b"12345678")
HERE, ELSEWHERE = b"192.0.2.1", b"192.0.2.11"
BOUND = KEY.mint(b"portico", 1234.5678, b"12345678", client=HERE)


def test_a_nonce_tells_when_it_was_minted() -> None:
    assert len(MINTED) == NONCE_CHARACTERS
    assert open_nonce(MINTED, b"portico", [KEY]) == Nonce(1234.567, known=True)


def test_two_nonces_of_one_moment_differ() -> None:
    assert KEY.mint(b"portico", 1) != KEY.mint(b"portico", 1)


def test_old_keys_are_good_for_as_long_as_they_are_known() -> None:
    assert open_nonce(MINTED, b"portico", [OTHER, KEY]).known
    assert not open_nonce(MINTED, b"portico", [OTHER]).known
    assert not open_nonce(MINTED, b"portico", []).known


def test_a_nonce_is_good_for_its_realm_only() -> None:
    with pytest.raises(Malformed, match="forged"):
        open_nonce(MINTED, b"another", [KEY])


def test_a_nonce_can_be_bound_to_an_address() -> None:
    assert len(BOUND) == BOUND_CHARACTERS
    assert open_nonce(BOUND, b"portico", [KEY], HERE) == Nonce(1234.567, known=True, at_home=True)
    for address in (ELSEWHERE, b"", b"2001:db8::1"):
        assert open_nonce(BOUND, b"portico", [KEY], address) == Nonce(1234.567, known=True, at_home=False)
    assert not open_nonce(MINTED, b"portico", [KEY], HERE).at_home
    assert not open_nonce(MINTED, b"portico", [KEY]).at_home
    nameless = KEY.mint(b"portico", 1, client=b"")  # of a client that has no address, as by a Unix socket
    assert open_nonce(nameless, b"portico", [KEY]).at_home


def test_the_address_cannot_be_cut_out_of_a_nonce_or_put_into_one() -> None:
    free, tied = base64.urlsafe_b64decode(MINTED), base64.urlsafe_b64decode(BOUND)
    for made in (free[:20] + tied[20:29] + free[20:], tied[:20] + tied[29:]):
        with pytest.raises(Malformed, match="forged"):
            open_nonce(base64.urlsafe_b64encode(made), b"portico", [KEY], HERE)


@pytest.mark.parametrize("minted", [MINTED, BOUND], ids=["free", "bound"])
def test_no_bit_can_be_changed(minted: bytes) -> None:
    raw = base64.urlsafe_b64decode(minted)
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            opened = open_nonce(base64.urlsafe_b64encode(bytes(changed)), b"portico", [KEY], HERE)
        except Malformed:
            assert bit >= 32
        else:
            assert bit < 32  # the key's id: then it is a nonce of nobody we know
            assert not opened.known


def test_a_nonce_has_one_spelling() -> None:
    tail = KEY.mint(b"portico", 1, b"\xff" * 8)
    for spelling in (MINTED + b"=", MINTED[:-1], MINTED + b"AAAA", b" " + MINTED[1:], MINTED[:-1] + b"\n", b""):
        with pytest.raises(Malformed):
            open_nonce(spelling, b"portico", [KEY])
    assert b"_" in tail or b"-" in tail
    with pytest.raises(Malformed):
        open_nonce(tail.replace(b"_", b"/").replace(b"-", b"+"), b"portico", [KEY])


@given(st.binary(min_size=NONCE_CHARACTERS, max_size=NONCE_CHARACTERS) | st.binary(max_size=100))
def test_nobody_guesses_a_nonce(guess: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert not open_nonce(guess, b"portico", [KEY]).known


def test_a_key_does_not_show_its_secret() -> None:
    assert "kkk" not in repr(KEY)
    assert KEY.id != OTHER.id
    assert len(KEY.id) == 4
