"""Where the users are kept: a SQLite file in the state folder, or a PostgreSQL that many hosts share.

The file is for its owner alone (0600); SQLite gives its companions (-wal, -shm) the same mode. With write-ahead logging a
reader never waits for a writer. The service commits without waiting for the disk: what a power failure may take is the last
nonce counts. The command line does wait (`durable`), as a password that was changed must not come back.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, make_url, select, text, update
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from .tables import LAYOUT, MARK_FLOOR, MARK_LAYOUT, marks, metadata

__all__ = ["CONNECT_TIMEOUT", "DATABASE", "LOCK_WAIT", "STATEMENT_TIMEOUT", "open_engine", "prepare", "reason", "writing"]

DATABASE = "users.sqlite3"
"""Name of the file in the service's state folder."""

LOCK_WAIT = 5.0
"""Seconds that a writer of a SQLite file waits for another one."""

CONNECT_TIMEOUT = 3
"""Seconds for a connection to PostgreSQL."""

STATEMENT_TIMEOUT = 5
"""Seconds for a statement in PostgreSQL."""

_ADVISORY_LOCK = 0x706F727469636F  # "portico": replicas that start at once make the tables one after the other


def open_engine(state: Path, url: str = "", *, connections: int = 1, durable: bool = True) -> Engine:
    """The database at `url`, or the file in the folder `state`; both are made where they are missing.

    Raises:
        ValueError: `url` is not the address of a PostgreSQL.
        OSError, sqlite3.Error: the file cannot be opened.
    """
    # Statements' parameters are password hashes: they never go into an error's text, and so into no log.
    common: dict[str, Any] = {"hide_parameters": True, "pool_size": connections, "max_overflow": 0}
    if url:
        arguments = {"connect_timeout": CONNECT_TIMEOUT, "options": f"-c statement_timeout={STATEMENT_TIMEOUT}s"}
        return create_engine(_postgresql(url), connect_args=arguments, pool_pre_ping=True, **common)
    path = _own_file(state)
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": LOCK_WAIT}, **common)
    event.listen(engine, "connect", _sqlite_durable if durable else _sqlite_quick)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _postgresql(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("database: not an address; expected postgresql://USER@HOST/NAME") from None
    if parsed.drivername not in ("postgresql", "postgres"):
        raise ValueError(f"database: {parsed.drivername}: expected postgresql://USER@HOST/NAME")
    return parsed.set(drivername="postgresql+psycopg")


def _own_file(state: Path) -> Path:
    state.mkdir(parents=True, exist_ok=True)
    path = state / DATABASE
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path


def _sqlite_durable(connection: sqlite3.Connection, record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # a password that was changed is gone from the file, too
    connection.execute("PRAGMA cache_size = 0")  # no H(A1) stays in our memory: the kernel's cache has the file anyway


def _sqlite_quick(connection: sqlite3.Connection, record: object) -> None:
    _sqlite_durable(connection, record)
    connection.execute("PRAGMA synchronous = NORMAL")


def _sqlite_begin(connection: Connection) -> None:
    """A writer takes the lock at once: two that have both begun to read could neither go on."""
    cursor = connection.connection.cursor()  # the driver's own: this is done for every transaction
    cursor.execute("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def writing(engine: Engine) -> Engine:
    """The same engine for transactions that write."""
    return engine.execution_options(writes=True)


def prepare(engine: Engine) -> None:
    """Make the tables that are missing.

    Raises:
        ValueError: the database belongs to a later program.
        SQLAlchemyError, sqlite3.Error: it cannot be reached, or is none.
    """
    with writing(engine).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        metadata.create_all(connection)
        found = connection.scalar(select(marks.c.value).where(marks.c.mark == MARK_LAYOUT))
        if found is None:
            first = [{"mark": MARK_LAYOUT, "value": LAYOUT}, {"mark": MARK_FLOOR, "value": 0}]
            connection.execute(insert(marks), first)
        elif found > LAYOUT:
            raise ValueError(f"the database has layout {found}, and this program knows {LAYOUT}")
        elif found < LAYOUT:
            connection.execute(update(marks).where(marks.c.mark == MARK_LAYOUT).values(value=LAYOUT))


def reason(error: Exception) -> str:
    """What a database says, in one line without SQL."""
    told = getattr(error, "orig", None) if isinstance(error, SQLAlchemyError) else None
    return " ".join(str(told or error).split())
