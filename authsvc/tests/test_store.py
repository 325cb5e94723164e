"""The users in their file."""

import pytest
from authsvc.errors import NoSuchUser, UserExists
from authsvc.hashing import Record
from authsvc.store import Account
from sqlalchemy.exc import IntegrityError

from .support.stores import Opener, record


def test_a_user_can_be_added_and_read_by_another_process_too(open_store: Opener) -> None:
    store, other = open_store(), open_store()
    store.add(record(b"alice"))
    for reader in (store, other):
        assert reader.password(b"alice") == "$argon2id$x"
        assert reader.ha1(b"alice", b"portico", "SHA-256") == b"a" * 64
        assert reader.ha1(b"alice", b"portico", "MD5") == b"b" * 32
        assert reader.names() == [b"alice"]
        assert reader.realms(b"alice") == (b"portico",)


def test_who_is_not_there(open_store: Opener) -> None:
    store = open_store()
    store.add(record(b"alice"))
    assert store.password(b"bob") is None
    assert store.password(b"ALICE") is None
    assert store.ha1(b"bob", b"portico", "MD5") is None
    assert store.ha1(b"alice", b"another", "MD5") is None
    assert store.ha1(b"alice", b"portico", "SHA") is None
    assert store.realms(b"bob") == ()


def test_names_are_bytes_and_mean_nothing_to_sql(open_store: Opener) -> None:
    store = open_store()
    names = sorted([b"%", b"' OR 1=1 --", b"\xff\xfe", "Jäsøn".encode(), b'"'])
    for name in names:
        store.add(record(name))
    assert store.names() == names
    assert store.password(b"\xff\xfe") == "$argon2id$x"


def test_a_name_is_taken_once(open_store: Opener) -> None:
    store = open_store()
    store.add(record(b"alice"))
    with pytest.raises(UserExists, match="alice"):
        store.add(record(b"alice", "another"))
    assert store.password(b"alice") == "$argon2id$x"


def test_only_the_first(open_store: Opener) -> None:
    store, other = open_store(), open_store()
    store.add(record(b"admin", "one"), only_first=True)
    with pytest.raises(UserExists):
        other.add(record(b"admin2", "two"), only_first=True)
    assert other.names() == [b"admin"]


def test_another_password_replaces_all_of_the_old_one(open_store: Opener) -> None:
    store = open_store()
    store.add(record(b"alice"))
    store.replace(record(b"alice", "new", b"another"))
    assert store.password(b"alice") == "new"
    assert store.realms(b"alice") == (b"another",)
    with pytest.raises(NoSuchUser, match="bob"):
        store.replace(record(b"bob"))
    assert store.names() == [b"alice"]


def test_a_removed_user_leaves_nothing(open_store: Opener) -> None:
    store = open_store()
    store.add(record(b"alice"))
    store.remove(b"alice")
    assert store.names() == []
    assert store.ha1(b"alice", b"portico", "MD5") is None
    with pytest.raises(NoSuchUser):
        store.remove(b"alice")


def test_what_fails_half_way_leaves_nothing(open_store: Opener) -> None:
    store = open_store()
    bad = Record(b"alice", "x", {(b"portico", "MD5"): None})  # type: ignore[dict-item]
    with pytest.raises(IntegrityError):
        store.add(bad)
    assert store.names() == []
    store.add(record(b"alice"))


def test_an_error_of_the_database_tells_no_hash(open_store: Opener) -> None:
    store = open_store()
    store.add(record(b"alice"))
    with pytest.raises(IntegrityError) as refused:
        store.add(Record(b"bob", "secret-hash", {(b"portico", "MD5"): None}))  # type: ignore[dict-item]
    assert "secret-hash" not in str(refused.value)
    assert "secret-hash" not in repr(store.account(b"alice") or "")
    assert "argon2id" not in repr(store.account(b"alice"))


def test_another_hash_of_the_same_password(open_store: Opener) -> None:
    store = open_store()
    store.add(record(b"alice", "old"))
    store.rehash(b"alice", "old", "new")
    assert store.password(b"alice") == "new"
    store.rehash(b"alice", "old", "late")  # somebody was faster
    assert store.password(b"alice") == "new"
    assert store.realms(b"alice") == (b"portico",)


def test_all_or_none(open_store: Opener) -> None:
    store = open_store()
    store.add(record(b"bob"))
    with pytest.raises(UserExists, match="bob"):
        store.merge([record(b"alice"), record(b"bob")])
    assert store.names() == [b"bob"]
    store.merge([record(b"alice"), record(b"carol")])
    assert store.names() == [b"alice", b"bob", b"carol"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_password_and_a_digest_of_the_same_user_from_two_files(open_store: Opener, order: int) -> None:
    store = open_store()
    records = [Record(b"alice", "{SHA}x", {}), Record(b"alice", "", {(b"other", "MD5"): b"c" * 32})]
    for one in records[::order]:
        store.merge([one])
    assert store.password(b"alice") == "{SHA}x"
    assert store.ha1(b"alice", b"other", "MD5") == b"c" * 32
    with pytest.raises(UserExists, match="alice, in realm other"):
        store.merge([records[1]])
    with pytest.raises(UserExists, match="alice"):
        store.merge([records[0]])


def test_what_replaces_a_password_replaces_all_of_it(open_store: Opener) -> None:
    store = open_store()
    store.add(record(b"alice"))
    store.groups.add("staff")
    store.groups.join("staff", [b"alice"])
    store.merge([Record(b"alice", "", {(b"portico", "MD5"): b"d" * 32})], replace=True)
    assert store.ha1(b"alice", b"portico", "MD5") == b"d" * 32
    assert store.ha1(b"alice", b"portico", "SHA-256") == b"a" * 64
    store.merge([Record(b"alice", "{SHA}x", {})], replace=True)
    assert store.realms(b"alice") == ()
    assert store.account(b"alice") == Account("{SHA}x", frozenset({"staff"}))
