"""Groups of users, which the rules speak of. Every method blocks for a transaction, and may be called from any thread."""

from collections.abc import Iterable

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from .database import writing
from .errors import GroupExists, NoSuchGroup, NoSuchUser
from .tables import groups, members, users

__all__ = ["MAX_GROUP", "Groups", "check_group"]

MAX_GROUP = 64
"""Characters of a group's name."""


def check_group(name: str) -> None:
    """Raises: ValueError: no group may be called so."""
    if not 1 <= len(name) <= MAX_GROUP or not name.isprintable() or name.strip() != name or name == "*":
        raise ValueError(f"{name!r}: a group's name has 1 to {MAX_GROUP} printable characters and is not '*'")


class Groups:
    """The groups in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = writing(engine)

    def names(self) -> list[str]:
        """All groups, in order."""
        with self._engine.connect() as connection:
            return sorted(connection.scalars(select(groups.c.group_name)))

    def members(self, group: str) -> list[bytes]:
        """The users of a group, in order. Raises: NoSuchGroup."""
        with self._engine.connect() as connection:
            _need_group(connection, group)
            return sorted(connection.scalars(select(members.c.name).where(members.c.group_name == group)))

    def add(self, group: str) -> None:
        """Raises: GroupExists; ValueError: no group may be called so."""
        check_group(group)
        with self._writing.begin() as connection:
            try:
                connection.execute(insert(groups).values(group_name=group))
            except IntegrityError:
                raise GroupExists(group) from None

    def remove(self, group: str) -> None:
        """Raises: NoSuchGroup."""
        with self._writing.begin() as connection:
            if not connection.execute(delete(groups).where(groups.c.group_name == group)).rowcount:
                raise NoSuchGroup(group)

    def join(self, group: str, names: Iterable[bytes]) -> None:
        """Put users into a group, all or none; who is in it already stays. Raises: NoSuchGroup, NoSuchUser."""
        with self._writing.begin() as connection:
            _need_group(connection, group)
            there = set(connection.scalars(select(members.c.name).where(members.c.group_name == group)))
            for name in dict.fromkeys(names):
                if connection.scalar(select(users.c.name).where(users.c.name == name)) is None:
                    raise NoSuchUser(name.decode("utf-8", "backslashreplace"))
                if name not in there:
                    connection.execute(insert(members).values(name=name, group_name=group))

    def leave(self, group: str, names: Iterable[bytes]) -> None:
        """Take users out of a group, all or none. Raises: NoSuchGroup; NoSuchUser: somebody is not in it."""
        with self._writing.begin() as connection:
            _need_group(connection, group)
            for name in dict.fromkeys(names):
                gone = connection.execute(delete(members).where(members.c.name == name, members.c.group_name == group))
                if not gone.rowcount:
                    raise NoSuchUser(name.decode("utf-8", "backslashreplace"))


def _need_group(connection: Connection, group: str) -> None:
    if connection.scalar(select(groups.c.group_name).where(groups.c.group_name == group)) is None:
        raise NoSuchGroup(group)
