"""Which conversation is had at which path."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec
from svckit.routemap import RouteMap
from svckit.settings import BadOptions, Settings
from twisted.internet.interfaces import IReactorTime
from twisted.python.reflect import namedAny

from .conversation import ConversationFactory
from .options import MountTable, Options, allowed_origins
from .table import mount_table

__all__ = ["Mount", "Mounts", "Place", "load_mounts"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is mounted. What is named in `mounts` and has a function `for_mount` is given this by it.

    Whatever that returns is mounted in its place.
    """

    path: str
    limits: Any
    """What holds at this path: the service's Options, changed by the entry's own settings."""
    options: dict[str, Any]
    """The entry's own, for what is mounted."""
    settings: Settings
    reactor: Any

    def options_as(self, kind: type[T]) -> T:
        """The entry's own options as a Struct of the mounted thing's, checked and converted.

        Raises:
            TypeError: an unknown key, a missing one, or a wrong value.
        """
        try:
            return msgspec.convert(self.options, kind, strict=False)
        except msgspec.ValidationError as error:
            raise TypeError(f"options: {error}") from None


@dataclass(frozen=True, slots=True)
class Mount:
    """One path, whom it lets in, and what answers there."""

    path: bytes
    """In normal form."""
    factory: ConversationFactory
    origins: frozenset[str] | None = None
    """As for `check_upgrade`."""
    login: bool = False
    """Whether it lets in users only."""
    own_pages: bool = False
    """Whether any origin (`origins` is None) means the site's own pages only."""
    judge: Callable[[str], str | None] | None = None
    """For a path that ends in `/*`: what is wrong with a name in its place."""


@dataclass(frozen=True, slots=True)
class Mounts:
    """All of them."""

    by_path: dict[bytes, Mount] = field(default_factory=dict)

    def find(self, path: bytes) -> Mount | str:
        """What answers at `path` (in normal form), or why nothing does."""
        found = None if path.endswith(b"/*") else self.by_path.get(path)
        if found is None:
            parent, _, name = path.rpartition(b"/")
            found = self.by_path.get(parent + b"/*") if name else None
            if found is not None and found.judge is not None:
                wrong = found.judge(name.decode("utf-8", "surrogateescape"))
                return found if wrong is None else wrong
        if found is not None:
            return found
        here = ", ".join(sorted(known.decode() for known in self.by_path))
        return f"No WebSocket is mounted at {path.decode('latin-1')}; there is {here}."

    def __iter__(self) -> Any:
        return iter(self.by_path.values())


Wrap = Callable[[Any, Any], ConversationFactory]
"""Makes a conversation factory of what is named, with the Options that hold there; raises TypeError if it cannot."""


def load_mounts(
    settings: Settings, options: Options, table: MountTable, wrap: Wrap, reactor: IReactorTime, more: MountTable | None = None
) -> list[Mount]:
    """Find what the option `mounts` names, and what `more` does, and make it a mount each.

    Raises:
        BadOptions: the table is malformed, or a name leads to nothing that can be mounted.
    """
    try:
        entries = mount_table(table) | (mount_table(more) if more else {})
    except ValueError as error:
        raise BadOptions(f"{settings.service}: {error}") from None
    needs_login = _login_prefixes(settings, options.login, entries)
    mounts = []
    for path, entry in entries.items():
        try:
            limits = replace(options, **entry.changes())  # type: ignore[arg-type]
            named = namedAny(entry.protocol)
            if hasattr(named, "for_mount"):
                named = named.for_mount(Place(path.decode(), limits, entry.options, settings, reactor))
            elif entry.options:
                raise TypeError("it takes no options, as it has no for_mount")
            factory = wrap(named, limits)
        except Exception as error:  # importing a stranger's module may raise anything
            where = f"{settings.service}: mounts: {path.decode()!r}"
            raise BadOptions(f"{where}: cannot mount {entry.protocol!r}: {error}") from error
        login = entry.login or needs_login.find(path) is not None
        if login and settings.auth is None:
            raise BadOptions(f"{settings.service}: {_NOBODY_TO_ASK}")
        judge = getattr(named, "judge_name", None)
        own_pages = login or getattr(named, "own_pages_only", False)
        mounts.append(Mount(path, factory, allowed_origins(limits.origins), login, own_pages, judge))
    return mounts


_NOBODY_TO_ASK = "login: there is no auth service to ask; PORTICO_AUTH names the folder of its sockets"


def _login_prefixes(settings: Settings, login: str, paths: Iterable[bytes]) -> RouteMap[str]:
    """What the option `login` covers; a prefix that covers no mount would be a door left open by a slip of the pen."""
    prefixes = login.split()
    try:
        covers = RouteMap([(prefix, prefix) for prefix in prefixes])
    except ValueError as error:
        raise BadOptions(f"{settings.service}: login: {error}") from None
    for prefix in prefixes:
        if not any(RouteMap([(prefix, True)]).find(path) for path in paths):
            raise BadOptions(f"{settings.service}: login: {prefix!r}: no WebSocket is mounted there")
    if prefixes and settings.auth is None:
        raise BadOptions(f"{settings.service}: {_NOBODY_TO_ASK}")
    return covers
