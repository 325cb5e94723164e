"""The users in their file."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from authsvc.database import DATABASE
from authsvc.errors import GroupExists, NoSuchGroup, NoSuchUser, UserExists
from authsvc.groups import MAX_GROUP
from authsvc.hashing import Record
from authsvc.store import Account, Store
from authsvc.tables import LAYOUT
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

Opener = Callable[[], Store]


def record(name: bytes, password: str = "$argon2id$x", realm: bytes = b"portico") -> Record:
    return Record(name, password, {(realm, "SHA-256"): b"a" * 64, (realm, "MD5"): b"b" * 32})


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


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(tmp_path / "state")
        store.add(record(b"alice"))
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    finally:
        os.umask(before)
    assert DATABASE in modes
    assert set(modes.values()) == {0o600}


def test_a_file_that_was_opened_to_others_is_closed_again(tmp_path: Path) -> None:
    Store(tmp_path).close()
    (tmp_path / DATABASE).chmod(0o644)
    Store(tmp_path).close()
    assert (tmp_path / DATABASE).stat().st_mode & 0o777 == 0o600


def test_users_survive_and_a_password_that_was_changed_does_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(record(b"alice", "$argon2id$the-old-one"))
    store.replace(record(b"alice", "$argon2id$the-new-one"))
    store.close()
    assert Store(tmp_path).password(b"alice") == "$argon2id$the-new-one"
    assert b"the-old-one" not in (tmp_path / DATABASE).read_bytes()


def test_a_later_programs_database_is_refused(open_store: Opener) -> None:
    with open_store().engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE marks SET value = {LAYOUT + 1} WHERE mark = 'layout'")
    with pytest.raises(ValueError, match=f"layout {LAYOUT + 1}"):
        open_store()


FIRST_LAYOUT = """
CREATE TABLE users (name BLOB PRIMARY KEY, password TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE ha1 (
    name BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
    realm BLOB NOT NULL,
    algorithm TEXT NOT NULL,
    ha1 BLOB NOT NULL,
    PRIMARY KEY (name, realm, algorithm)
) WITHOUT ROWID;
PRAGMA user_version = 1;
INSERT INTO users VALUES (x'616c696365', '$argon2id$x');
INSERT INTO ha1 VALUES (x'616c696365', x'706f727469636f', 'MD5', x'6262');
"""


def test_a_file_of_the_first_layout_keeps_its_users_and_gets_the_rest(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / DATABASE)
    old.executescript(FIRST_LAYOUT)
    old.close()
    for _ in range(2):
        store = Store(tmp_path)
        assert store.account(b"alice") == Account("$argon2id$x", frozenset())
        assert store.ha1(b"alice", b"portico", "MD5") == b"bb"
        store.close()
    store = Store(tmp_path)
    store.groups.add("staff")
    store.groups.join("staff", [b"alice"])
    store.remove(b"alice")
    assert store.ha1(b"alice", b"portico", "MD5") is None
    assert store.groups.members("staff") == []


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite:///x", "postgresql+pg8000://x/y", "://"])
def test_what_is_no_address_of_a_postgresql(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"database: .*expected postgresql://USER@HOST/NAME"):
        Store(tmp_path, url)
    assert list(tmp_path.iterdir()) == []


def test_a_postgresql_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(SQLAlchemyError, match="No such file or directory"):
        Store(tmp_path, f"postgresql://x@/x?host={tmp_path}")


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


# -- groups


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


# -- several at once


def test_replicas_that_start_at_once_agree(tmp_path: Path, database: str) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from authsvc.store import Store; from authsvc.errors import UserExists; from authsvc.hashing import Record\n"
        "sys.stdin.read(1); store = Store(Path(sys.argv[1]), sys.argv[2])\n"
        "try: store.add(Record(sys.argv[3].encode(), 'x', {}), only_first=True)\n"
        "except UserExists: sys.exit(3)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), database]
    children = [subprocess.Popen([*command, f"admin{number}"], stdin=subprocess.PIPE) for number in range(4)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"x")
        child.stdin.close()
    assert sorted(child.wait(60) for child in children) == [0, 3, 3, 3]
    store = Store(tmp_path, database)
    assert len(store.names()) == 1
    store.close()


def test_sqlite_keeps_no_pages_in_our_memory(tmp_path: Path) -> None:
    """They have H(A1) on them."""
    with Store(tmp_path).engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA cache_size").scalar() == 0
