"""What is stored of a password."""

import hashlib

import pytest
from authsvc.hashing import (
    MEMORY_KIB,
    PARALLELISM,
    TIME_COST,
    check_name,
    hash_password,
    make_record,
    verify_password,
)
from svckit.auth.limits import MAX_PASSWORD, MAX_USER


def test_the_hash_is_argon2id_with_the_named_parameters() -> None:
    stored = hash_password(b"wonderland")
    assert stored.startswith(f"$argon2id$v=19$m={MEMORY_KIB},t={TIME_COST},p={PARALLELISM}$")
    assert (MEMORY_KIB, TIME_COST, PARALLELISM) == (19456, 2, 1)
    assert stored != hash_password(b"wonderland")


def test_a_hash_knows_its_password() -> None:
    stored = hash_password("Zäune\0und mehr".encode())
    assert verify_password(stored, "Zäune\0und mehr".encode())
    assert not verify_password(stored, "Zäune".encode())
    assert not verify_password(stored, b"")


@pytest.mark.parametrize("stored", ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$", "$2y$10$abcdefghijklmnopqrstuv"])
def test_what_is_no_hash(stored: str) -> None:
    with pytest.raises(ValueError, match="cannot be checked"):
        verify_password(stored, b"x")


def test_a_record_has_an_h_a1_for_each_realm_and_algorithm() -> None:
    record = make_record(b"alice", b"wonderland", (b"portico", b"site"))
    assert set(record.ha1) == {(realm, name) for realm in (b"portico", b"site") for name in ("SHA-256", "MD5")}
    assert record.ha1[b"site", "MD5"].decode() == hashlib.md5(b"alice:site:wonderland").hexdigest()
    assert record.ha1[b"portico", "SHA-256"].decode() == hashlib.sha256(b"alice:portico:wonderland").hexdigest()
    assert verify_password(record.password, b"wonderland")


def test_a_record_shows_no_secret() -> None:
    record = make_record(b"alice", b"wonderland", (b"portico",))
    assert "argon2" not in repr(record)
    assert record.ha1[b"portico", "MD5"].decode() not in repr(record)


@pytest.mark.parametrize("name", [b"", b"a:b", b"a\n", b"\0", b"\x7f", b"u" * (MAX_USER + 1)])
def test_names_that_cannot_log_in(name: bytes) -> None:
    with pytest.raises(ValueError, match="name"):
        check_name(name)
    with pytest.raises(ValueError, match="name"):
        make_record(name, b"password", (b"portico",))


@pytest.mark.parametrize("password", [b"", b"a\nb", b"a\0b", b"p" * (MAX_PASSWORD + 1)])
def test_passwords_that_cannot_log_in(password: bytes) -> None:
    with pytest.raises(ValueError, match="password"):
        make_record(b"alice", password, (b"portico",))


def test_the_largest_of_both() -> None:
    record = make_record(b"u" * MAX_USER, b"p" * MAX_PASSWORD, (b"portico",))
    assert verify_password(record.password, b"p" * MAX_PASSWORD)
    assert not verify_password(record.password, b"p" * (MAX_PASSWORD - 1))
