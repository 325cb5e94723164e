"""Groups in the store, and who is in them."""

from pathlib import Path

import pytest
from authsvc.errors import GroupExists, NoSuchGroup, NoSuchUser
from authsvc.groups import MAX_GROUP
from authsvc.store import Account, Store

from .support.stores import Opener, record


def test_groups_and_who_is_in_them(open_store: Opener) -> None:
    store, other = open_store(), open_store()
    store.merge([record(b"alice"), record(b"bob")])
    for group in ("staff", "guests"):
        store.groups.add(group)
    store.groups.join("staff", [b"bob", b"alice", b"bob"])
    store.groups.join("staff", [b"alice"])
    store.groups.join("guests", [b"alice"])
    assert other.groups.names() == ["guests", "staff"]
    assert other.groups.members("staff") == [b"alice", b"bob"]
    assert other.account(b"alice") == Account("$argon2id$x", frozenset({"staff", "guests"}))
    store.groups.leave("staff", [b"alice"])
    store.groups.remove("guests")
    assert other.account(b"alice") == Account("$argon2id$x", frozenset())
    store.remove(b"bob")
    assert store.groups.members("staff") == []


def test_what_groups_refuse_changes_nothing(open_store: Opener) -> None:
    store = open_store()
    store.add(record(b"alice"))
    store.groups.add("staff")
    with pytest.raises(GroupExists, match="staff"):
        store.groups.add("staff")
    with pytest.raises(NoSuchUser, match="bob"):
        store.groups.join("staff", [b"alice", b"bob"])
    assert store.groups.members("staff") == []
    store.groups.join("staff", [b"alice"])
    with pytest.raises(NoSuchUser, match="bob"):
        store.groups.leave("staff", [b"alice", b"bob"])
    assert store.groups.members("staff") == [b"alice"]
    for refused in (
        lambda: store.groups.join("none", [b"alice"]),
        lambda: store.groups.leave("none", [b"alice"]),
        lambda: store.groups.remove("none"),
        lambda: store.groups.members("none"),
    ):
        with pytest.raises(NoSuchGroup, match="none"):
            refused()


@pytest.mark.parametrize("name", ["", "*", " staff", "st\naff", "x" * (MAX_GROUP + 1)])
def test_names_that_no_group_has(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    with pytest.raises(ValueError, match="a group's name has 1 to 64 printable characters"):
        store.groups.add(name)
    store.groups.add("x" * MAX_GROUP)
