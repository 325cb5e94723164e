"""Which descriptors this process has, for tests that look for leaks: by number and by what it is, so that no two cancel out."""

import contextlib
import gc
import os
from collections.abc import Iterator

from twisted.logger import globalLogBeginner

__all__ = ["no_descriptor_leaks", "open_descriptors"]


def open_descriptors() -> dict[int, str]:
    """What each number is. Those that earlier tests have left to the garbage collector are closed by this and do not count.

    As long as no log has begun Twisted keeps the last 200 events, with who said them, so with sockets; each new one lets go of
    the oldest, at any time.
    """
    globalLogBeginner._initialBuffer._buffer.clear()
    gc.collect()
    found: dict[int, str] = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


@contextlib.contextmanager
def no_descriptor_leaks() -> Iterator[None]:
    """The same ones are open afterwards: none more, none less."""
    before = open_descriptors()
    yield
    after = open_descriptors()
    more, gone = dict(after.items() - before.items()), dict(before.items() - after.items())
    assert not (more or gone), f"open now: {more}; not open any more: {gone}"
