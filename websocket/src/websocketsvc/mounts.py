"""Which conversation is had at which path."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
    mounts = []
    for path, name in names.items():
        try:
            factory = wrap(namedAny(name))
        except Exception as error:  # importing a stranger's module may raise anything
            raise BadOptions(f"{settings.service}: mounts: {path.decode()!r}: cannot mount {name!r}: {error}") from error
        mounts.append(Mount(path, factory, options, allowed_origins(options.origins)))
    return mounts
