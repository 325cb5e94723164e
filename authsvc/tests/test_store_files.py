"""The files of the store: who may read them, what outlasts a restart, and layouts and databases of others."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from authsvc.database import DATABASE
from authsvc.store import Account, Store
from authsvc.tables import LAYOUT
from sqlalchemy.exc import SQLAlchemyError

from .support.stores import Opener, record


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
