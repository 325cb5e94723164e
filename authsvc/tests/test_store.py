"""The users in their file."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from authsvc.hashing import Record
from authsvc.store import DATABASE, SCHEMA, NoSuchUser, Store, UserExists


def record(name: bytes, password: str = "$argon2id$x", realm: bytes = b"portico") -> Record:
    return Record(name, password, {(realm, "SHA-256"): b"a" * 64, (realm, "MD5"): b"b" * 32})


def test_a_user_can_be_added_and_read_by_another_process_too(tmp_path: Path) -> None:
    store, other = Store(tmp_path), Store(tmp_path)
    store.add(record(b"alice"))
    for reader in (store, other):
        assert reader.password(b"alice") == "$argon2id$x"
        assert reader.ha1(b"alice", b"portico", "SHA-256") == b"a" * 64
        assert reader.ha1(b"alice", b"portico", "MD5") == b"b" * 32
        assert reader.names() == [b"alice"]
        assert reader.realms(b"alice") == (b"portico",)


def test_who_is_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(record(b"alice"))
    assert store.password(b"bob") is None
    assert store.password(b"ALICE") is None
    assert store.ha1(b"bob", b"portico", "MD5") is None
    assert store.ha1(b"alice", b"another", "MD5") is None
    assert store.ha1(b"alice", b"portico", "SHA") is None
    assert store.realms(b"bob") == ()


def test_names_are_bytes_and_mean_nothing_to_sql(tmp_path: Path) -> None:
    store = Store(tmp_path)
    names = sorted([b"%", b"' OR 1=1 --", b"\xff\xfe", "Jäsøn".encode(), b'"'])
    for name in names:
        store.add(record(name))
    assert store.names() == names
    assert store.password(b"\xff\xfe") == "$argon2id$x"


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(record(b"alice"))
    with pytest.raises(UserExists, match="alice"):
        store.add(record(b"alice", "another"))
    assert store.password(b"alice") == "$argon2id$x"


def test_only_the_first(tmp_path: Path) -> None:
    store, other = Store(tmp_path), Store(tmp_path)
    store.add(record(b"admin", "one"), only_first=True)
    with pytest.raises(UserExists):
        other.add(record(b"admin2", "two"), only_first=True)
    assert other.names() == [b"admin"]


def test_another_password_replaces_all_of_the_old_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(record(b"alice"))
    store.replace(record(b"alice", "new", b"another"))
    assert store.password(b"alice") == "new"
    assert store.realms(b"alice") == (b"another",)
    with pytest.raises(NoSuchUser, match="bob"):
        store.replace(record(b"bob"))
    assert store.names() == [b"alice"]


def test_a_removed_user_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(record(b"alice"))
    store.remove(b"alice")
    assert store.names() == []
    assert store.ha1(b"alice", b"portico", "MD5") is None
    with pytest.raises(NoSuchUser):
        store.remove(b"alice")


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    bad = Record(b"alice", "x", {(b"portico", "MD5"): None})  # type: ignore[dict-item]
    with pytest.raises(sqlite3.IntegrityError):
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


def test_another_layout_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    database = sqlite3.connect(tmp_path / DATABASE)
    database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    database.close()
    with pytest.raises(ValueError, match=f"layout {SCHEMA + 1}"):
        Store(tmp_path)


def test_replicas_that_start_at_once_agree(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from authsvc.store import Store, UserExists; from authsvc.hashing import Record\n"
        "store = Store(Path(sys.argv[1])); sys.stdin.read(1)\n"
        "try: store.add(Record(sys.argv[2].encode(), 'x', {}), only_first=True)\n"
        "except UserExists: sys.exit(3)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    children = [subprocess.Popen([*command, f"admin{number}"], stdin=subprocess.PIPE) for number in range(4)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"x")
        child.stdin.close()
    assert sorted(child.wait(60) for child in children) == [0, 3, 3, 3]
    assert len(Store(tmp_path).names()) == 1
