"""Putting a file in another's place without keeping the whole folder waiting.

rename(2) gives back the memory or blocks of what it replaces while it holds the locks of both folders: on a tmpfs a third of a
second for each GiB, in which nobody else can make, rename or look up a name there, the reactor as little as other replicas. So
the old file is held open, and goes when it is closed, after the locks.
"""

import os
from contextlib import suppress

__all__ = ["replace"]

_HOLD = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
"""Needs no rights to the file, and opens no device."""


def replace(source: str | os.PathLike[str], final: str | os.PathLike[str]) -> bool:
    """Rename `source` to `final`; whether something stood there. Blocks.

    Raises:
        OSError: a folder stands there, or worse.
    """
    old = -1
    with suppress(OSError):
        old = os.open(final, _HOLD)
    try:
        replaced = old >= 0 or os.path.lexists(final)  # no descriptors may be left
        os.rename(source, final)  # noqa: PTH104  # each Path costs as much as a system call
    finally:
        if old >= 0:
            os.close(old)
    return replaced
