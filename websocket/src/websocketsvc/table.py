"""What is mounted where, as an option says it.

Three ways to write the same: a table in TOML, `PATH=NAME PATH=NAME` in one string, or the table as JSON in one string (the
last two for the environment). NAME is dotted; in a table an entry of its own may stand in its place, with settings that hold
for this path alone:

    "/ws/chat" = "mypackage.chat.Chat"
    "/ws/news" = { protocol = "mypackage.news.News", frames = "text", subprotocols = "news.v1", max_message = 1024 }
    "/ws/game/*" = { protocol = "mypackage.game.Game", login = true, options = { players = 4 } }

A path that ends in `/*` stands for all that have one segment in its place.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, field
from svckit.paths import BadTarget, normalise

from .options import Count, Frames, MountTable, Seconds

__all__ = ["Entry", "mount_table"]


class Entry(Struct, forbid_unknown_fields=True, frozen=True):
    """One path. What is not set is as for the whole service: see `websocketsvc.options`."""

    protocol: str
    """The dotted name."""
    options: dict[str, Any] = field(default_factory=dict)
    """For what is mounted, where it takes any (`for_mount`)."""
    login: bool = False
    """Whether it lets in users only; the service's own `login` may want so, too."""
    origins: str | UnsetType = UNSET
    subprotocols: str | UnsetType = UNSET
    frames: Frames | UnsetType = UNSET
    compression: bool | UnsetType = UNSET
    max_message: Count | UnsetType = UNSET
    max_unsent: Count | UnsetType = UNSET
    close_timeout: Seconds | UnsetType = UNSET
    ping_interval: float | UnsetType = UNSET
    stall_timeout: Seconds | UnsetType = UNSET

    def changes(self) -> dict[str, object]:
        """The settings that differ from the service's."""
        own = {"protocol", "options", "login"}
        found = {name: getattr(self, name) for name in self.__struct_fields__ if name not in own}
        return {name: value for name, value in found.items() if value is not UNSET}


def mount_table(mounts: MountTable) -> dict[bytes, Entry]:
    """The entries by path in normal form.

    Raises:
        ValueError: a path or an entry is malformed, or a path stands there twice; the text says which.
    """
    table: dict[bytes, Entry] = {}
    for path, value in _pairs(mounts):
        try:
            key = normalise(path.encode("utf-8"))
        except BadTarget as error:
            raise ValueError(f"mounts: {path!r}: {error}") from None
        if key in table:
            raise ValueError(f"mounts: {path!r} stands there twice")
        try:
            table[key] = msgspec.convert({"protocol": value} if isinstance(value, str) else value, Entry)
        except msgspec.ValidationError as error:
            raise ValueError(f"mounts: {path!r}: {error}") from None
        if not table[key].protocol:
            raise ValueError(f"mounts: {path!r}: no dotted name; expected PATH=NAME")
    if not table:
        raise ValueError("mounts: nothing is mounted")
    return table


def _pairs(mounts: MountTable) -> list[tuple[str, object]]:
    if isinstance(mounts, str) and mounts.lstrip().startswith("{"):
        try:
            mounts = msgspec.json.decode(mounts, type=dict[str, str | dict[str, object]])
        except msgspec.MsgspecError as error:
            raise ValueError(f"mounts: {error}") from None
    if isinstance(mounts, str):
        words = [entry.partition("=") for entry in mounts.split()]
        return [(path, name) for path, _, name in words]
    return list(mounts.items())
