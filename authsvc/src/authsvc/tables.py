"""The tables, the same in SQLite and PostgreSQL.

A layout is only ever added to: tables that are missing are made at the next start, by whichever replica comes first, and
`LAYOUT` grows. So no tool for migrations is needed. A program refuses a database with a higher number than its own. A change
that tables alone cannot make gets a step of its own in `database.prepare`.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, MetaData, Table, Text

__all__ = ["LAYOUT", "MARK_FLOOR", "MARK_LAYOUT", "groups", "ha1", "marks", "members", "metadata", "nonce_counts", "users"]

LAYOUT = 2
"""1 had users and ha1 in a SQLite file; 2 adds groups, nonce counts and marks."""

MARK_LAYOUT = "layout"
MARK_FLOOR = "nonce_floor"

metadata = MetaData()

_WITHOUT_ROWID: Any = {"sqlite_with_rowid": False}

users = Table(
    "users",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    Column("password", Text, nullable=False),  # a hash; empty where only H(A1) is known, from an htdigest file
    **_WITHOUT_ROWID,
)


def _of_user() -> Column[bytes]:
    return Column("name", LargeBinary, ForeignKey("users.name", ondelete="CASCADE"), primary_key=True)


ha1 = Table(
    "ha1",
    metadata,
    _of_user(),
    Column("realm", LargeBinary, primary_key=True),
    Column("algorithm", Text, primary_key=True),
    Column("ha1", LargeBinary, nullable=False),
    **_WITHOUT_ROWID,
)

groups = Table("groups", metadata, Column("group_name", Text, primary_key=True), **_WITHOUT_ROWID)

members = Table(
    "members",
    metadata,
    _of_user(),
    Column("group_name", Text, ForeignKey("groups.group_name", ondelete="CASCADE"), primary_key=True),
    **_WITHOUT_ROWID,
)

nonce_counts = Table(
    "nonce_counts",
    metadata,
    Column("nonce", LargeBinary, primary_key=True),
    Column("count", BigInteger, primary_key=True, autoincrement=False),
    Column("minted", BigInteger, nullable=False, index=True),  # milliseconds since 1970
    **_WITHOUT_ROWID,
)

marks = Table(
    "marks",
    metadata,
    Column("mark", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
    **_WITHOUT_ROWID,
)
