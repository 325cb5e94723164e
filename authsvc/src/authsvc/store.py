"""The users, in one SQLite file that the service and the command line open side by side.

The file is for its owner alone (0600); SQLite gives its companions (-wal, -shm) the same mode. With write-ahead logging a
reader never waits for a writer, so the service reads on the reactor thread: some 20 microseconds a user.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .hashing import Record

__all__ = ["DATABASE", "SCHEMA", "NoSuchUser", "Store", "UserExists"]

DATABASE = "users.sqlite3"
"""Name of the file in the service's state folder."""

SCHEMA = 1
"""Number of the tables' layout, kept in the file as its user_version."""

LOCK_WAIT = 5.0
"""Seconds that a writer waits for another one."""

_TABLES = """
CREATE TABLE users (name BLOB PRIMARY KEY, password TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE ha1 (
    name BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
    realm BLOB NOT NULL,
    algorithm TEXT NOT NULL,
    ha1 BLOB NOT NULL,
    PRIMARY KEY (name, realm, algorithm)
) WITHOUT ROWID;
"""


class NoSuchUser(KeyError):
    """Nobody of that name is stored."""


class UserExists(ValueError):
    """Somebody of that name is stored already."""


class Store:
    """Users by name. To be used by the thread that opened it."""

    def __init__(self, state: Path) -> None:
        """Open the file in the folder `state`; make both where they are missing.

        Raises:
            ValueError: the file has tables of another layout.
        """
        state.mkdir(parents=True, exist_ok=True)
        path = state / DATABASE
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        self._db = sqlite3.connect(path, timeout=LOCK_WAIT, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA secure_delete = ON")  # a password that was changed is gone from the file, too
        with self._transaction():
            self._make_tables(path)

    def close(self) -> None:
        self._db.close()

    def _make_tables(self, path: Path) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found == 0:
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA:d}")
        elif found != SCHEMA:
            raise ValueError(f"{path}: has layout {found}, and this program knows {SCHEMA}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- reading

    def password(self, name: bytes) -> str | None:
        """The argon2id hash of a user; None if there is no such user."""
        row = self._db.execute("SELECT password FROM users WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def ha1(self, name: bytes, realm: bytes, algorithm: str) -> bytes | None:
        """H(A1) of a user; None if there is no such user, or not in this realm."""
        query = "SELECT ha1 FROM ha1 WHERE name = ? AND realm = ? AND algorithm = ?"
        row = self._db.execute(query, (name, realm, algorithm)).fetchone()
        return None if row is None else bytes(row[0])

    def names(self) -> list[bytes]:
        """All users, in order."""
        return [bytes(name) for (name,) in self._db.execute("SELECT name FROM users ORDER BY name")]

    def realms(self, name: bytes) -> tuple[bytes, ...]:
        """The realms that a user can log in to by Digest, in order."""
        query = "SELECT DISTINCT realm FROM ha1 WHERE name = ? ORDER BY realm"
        return tuple(bytes(realm) for (realm,) in self._db.execute(query, (name,)))

    # -- writing

    def add(self, user: Record, *, only_first: bool = False) -> None:
        """Raises: UserExists: somebody has that name; with `only_first`, anybody is there at all."""
        with self._transaction():
            if only_first and self._db.execute("SELECT 1 FROM users LIMIT 1").fetchone():
                raise UserExists("there are users already")
            try:
                self._db.execute("INSERT INTO users VALUES (?, ?)", (user.name, user.password))
            except sqlite3.IntegrityError:
                raise UserExists(_printable(user.name)) from None
            self._insert_ha1(user)

    def replace(self, user: Record) -> None:
        """Give a user another password. Raises: NoSuchUser."""
        with self._transaction():
            changed = self._db.execute("UPDATE users SET password = ? WHERE name = ?", (user.password, user.name))
            if not changed.rowcount:
                raise NoSuchUser(_printable(user.name))
            self._db.execute("DELETE FROM ha1 WHERE name = ?", (user.name,))
            self._insert_ha1(user)

    def remove(self, name: bytes) -> None:
        """Raises: NoSuchUser."""
        with self._transaction():
            if not self._db.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount:
                raise NoSuchUser(_printable(name))

    def _insert_ha1(self, user: Record) -> None:
        rows = [(user.name, realm, algorithm, ha1) for (realm, algorithm), ha1 in user.ha1.items()]
        self._db.executemany("INSERT INTO ha1 VALUES (?, ?, ?, ?)", rows)


def _printable(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
