"""What is kept of a resumable upload, whatever the store is."""

import msgspec

__all__ = ["Info", "Standing"]


class Info(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an upload is to be."""

    name: str
    length: int | None = None
    metadata: str = ""
    user: str = ""
    partial: bool = False
    concat: str = ""
    """Upload-Concat of the end of a concatenation."""
    exclusive: bool = False
    """Whether nothing may stand under its name."""


class Standing(msgspec.Struct, frozen=True):
    """How far an upload is."""

    offset: int
    length: int | None
    done: bool
