"""Which conversation is had at which path."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from svckit.routemap import RouteMap
from svckit.settings import BadOptions, Settings
from twisted.python.reflect import namedAny

from .conversation import ConversationFactory
from .options import Limits, Options, allowed_origins, mount_table

__all__ = ["Mount", "load_mounts"]


@dataclass(frozen=True, slots=True)
class Mount:
    """One path, whom it lets in, and what answers there."""

    path: bytes
    """In normal form."""
    factory: ConversationFactory
    limits: Limits
    origins: frozenset[str] | None = None
    """As for `check_upgrade`."""
    login: bool = False
    """Whether it lets in users only."""


def load_mounts(
    settings: Settings, options: Options, table: Mapping[str, str] | str, wrap: Callable[[object], ConversationFactory]
) -> list[Mount]:
    """Find what the option `mounts` names and make it a mount each.

    `wrap` makes a conversation factory of what a dotted name stands for, and raises TypeError where it cannot.

    Raises:
        BadOptions: the table is malformed, or a name leads to nothing that can be mounted.
    """
    try:
        names = mount_table(table if isinstance(table, str) else dict(table))
    except ValueError as error:
        raise BadOptions(f"{settings.service}: {error}") from None
    needs_login = _login_prefixes(settings, options.login, names)
    mounts = []
    for path, name in names.items():
        try:
            factory = wrap(namedAny(name))
        except Exception as error:  # importing a stranger's module may raise anything
            raise BadOptions(f"{settings.service}: mounts: {path.decode()!r}: cannot mount {name!r}: {error}") from error
        mounts.append(Mount(path, factory, options, allowed_origins(options.origins), needs_login.find(path) is not None))
    return mounts


def _login_prefixes(settings: Settings, login: str, paths: Mapping[bytes, str]) -> RouteMap[str]:
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
        raise BadOptions(
            f"{settings.service}: login: there is no auth service to ask; PORTICO_AUTH names the folder of its sockets"
        )
    return covers
