"""The users, in the database that the service's replicas and the command line open side by side.

Every method blocks for a transaction, and may be called from any thread: the service calls them through `jobs`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from .database import open_engine, prepare, writing
from .errors import NoSuchUser, UserExists
from .groups import Groups
from .hashing import Record
from .tables import ha1, members, users

__all__ = ["Account", "Store"]


# What each login asks, built once: SQLAlchemy takes longer to build a statement than SQLite to answer it.
_PASSWORD = select(users.c.password).where(users.c.name == bindparam("user"))
_GROUPS = select(members.c.group_name).where(members.c.name == bindparam("user"))
_HA1 = select(ha1.c.ha1).where(
    ha1.c.name == bindparam("user"), ha1.c.realm == bindparam("in_realm"), ha1.c.algorithm == bindparam("by")
)


@dataclass(frozen=True, slots=True)
class Account:
    """What the service wants to know of a user at each login."""

    password: str = field(repr=False)
    """The stored hash; empty for a user who can log in by Digest only."""
    groups: frozenset[str]


class Store:
    """Users by name; `groups` are theirs."""

    def __init__(self, state: Path, url: str = "", *, connections: int = 1, durable: bool = True) -> None:
        """Open the database at `url`, or the SQLite file in `state`.

        Raises:
            ValueError: `url` is none of a PostgreSQL, or the database is a later program's.
            OSError, sqlite3.Error, sqlalchemy.exc.SQLAlchemyError: it cannot be opened.
        """
        self.engine = open_engine(state, url, connections=connections, durable=durable)
        self.groups = Groups(self.engine)
        self._writing = writing(self.engine)
        try:
            prepare(self.engine)
        except BaseException:
            self.engine.dispose()
            raise

    def close(self) -> None:
        self.engine.dispose()

    # -- reading

    def account(self, name: bytes) -> Account | None:
        """A user's hash and groups; None if there is no such user."""
        with self.engine.connect() as connection:
            password = connection.scalar(_PASSWORD, {"user": name})
            if password is None:
                return None
            found = connection.scalars(_GROUPS, {"user": name})
            return Account(password, frozenset(found))

    def password(self, name: bytes) -> str | None:
        """The stored hash of a user; None if there is no such user."""
        with self.engine.connect() as connection:
            return connection.scalar(_PASSWORD, {"user": name})

    def ha1(self, name: bytes, realm: bytes, algorithm: str) -> bytes | None:
        """H(A1) of a user; None if there is no such user, or not in this realm."""
        with self.engine.connect() as connection:
            return connection.scalar(_HA1, {"user": name, "in_realm": realm, "by": algorithm})

    def names(self) -> list[bytes]:
        """All users, in order."""
        with self.engine.connect() as connection:
            return list(connection.scalars(select(users.c.name).order_by(users.c.name)))

    def realms(self, name: bytes) -> tuple[bytes, ...]:
        """The realms that a user can log in to by Digest, in order."""
        query = select(ha1.c.realm).distinct().where(ha1.c.name == name).order_by(ha1.c.realm)
        with self.engine.connect() as connection:
            return tuple(connection.scalars(query))

    # -- writing

    def add(self, user: Record, *, only_first: bool = False) -> None:
        """Raises: UserExists: somebody has that name; with `only_first`, anybody is there at all."""
        with self._writing.begin() as connection:
            if only_first:
                if self.engine.dialect.name == "postgresql":
                    connection.exec_driver_sql("LOCK TABLE users IN EXCLUSIVE MODE")
                if connection.scalar(select(users.c.name).limit(1)) is not None:
                    raise UserExists("there are users already")
            self._add(connection, user)

    def merge(self, records: Iterable[Record], *, replace: bool = False) -> None:
        """Take over users from elsewhere, all or none; with `replace`, for users who are here already the password changes.

        A record without a password adds its H(A1)s to those of the user, and one without H(A1)s its password.

        Raises:
            UserExists: without `replace`, somebody has a password here already, or an H(A1) for the same realm.
        """
        with self._writing.begin() as connection:
            for record in records:
                here = connection.scalar(select(users.c.password).where(users.c.name == record.name))
                if here is None:
                    self._add(connection, record)
                else:
                    self._merge(connection, record, here, replace)

    def replace(self, user: Record) -> None:
        """Give a user another password. Raises: NoSuchUser."""
        with self._writing.begin() as connection:
            changed = connection.execute(update(users).where(users.c.name == user.name).values(password=user.password))
            if not changed.rowcount:
                raise NoSuchUser(_printable(user.name))
            connection.execute(delete(ha1).where(ha1.c.name == user.name))
            self._insert_ha1(connection, user)

    def rehash(self, name: bytes, old: str, new: str) -> None:
        """Another hash of the same password, unless somebody has changed the password meanwhile."""
        with self._writing.begin() as connection:
            connection.execute(update(users).where(users.c.name == name, users.c.password == old).values(password=new))

    def remove(self, name: bytes) -> None:
        """Raises: NoSuchUser."""
        with self._writing.begin() as connection:
            if not connection.execute(delete(users).where(users.c.name == name)).rowcount:
                raise NoSuchUser(_printable(name))

    # -- parts of transactions

    def _add(self, connection: Connection, user: Record) -> None:
        try:
            connection.execute(insert(users).values(name=user.name, password=user.password))
        except IntegrityError:
            raise UserExists(_printable(user.name)) from None
        self._insert_ha1(connection, user)

    def _merge(self, connection: Connection, record: Record, here: str, replace: bool) -> None:
        if record.password:
            if here and not replace:
                raise UserExists(_printable(record.name))
            if here:  # its H(A1)s are of the password that goes
                connection.execute(delete(ha1).where(ha1.c.name == record.name))
            connection.execute(update(users).where(users.c.name == record.name).values(password=record.password))
        for realm, algorithm in record.ha1:
            same = (ha1.c.name == record.name, ha1.c.realm == realm, ha1.c.algorithm == algorithm)
            if not replace and connection.scalar(select(ha1.c.ha1).where(*same)) is not None:
                raise UserExists(f"{_printable(record.name)}, in realm {_printable(realm)}")
            connection.execute(delete(ha1).where(*same))
        self._insert_ha1(connection, record)

    def _insert_ha1(self, connection: Connection, user: Record) -> None:
        rows = [
            {"name": user.name, "realm": realm, "algorithm": algorithm, "ha1": value}
            for (realm, algorithm), value in user.ha1.items()
        ]
        if rows:
            connection.execute(insert(ha1), rows)


def _printable(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
