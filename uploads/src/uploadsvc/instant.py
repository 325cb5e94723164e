"""Small files of a store that lies in memory, published by the reactor itself.

There is no device to wait for, so no thread is needed, and fsync(2) would have nothing to do. What could take longer than a
moment is left to a thread. The two folders are opened once for all files: a name in an open folder is found sooner than a path.
"""

import os
from collections.abc import Sequence

from .part import Published
from .small import Made, Room, Small, each, fresh_name, results
from .store import Store, close_all

__all__ = ["LARGE", "publish_at_once"]

LARGE = 1 << 20
"""Bytes of a file that is not replaced between two turns of the reactor."""


def publish_at_once(store: Store, files: Sequence[Small], device: int | None = None) -> list[Published | Exception] | None:
    """As `publish_all`; None, with nothing done, where it would take more than a moment.

    That is where a lock has to be waited for, or a large file would be replaced: its memory is given back page by page. It is
    also where the folder is not on `device`, the `st_dev` known to lie in memory, any more (None: that is not asked).
    """
    try:
        root, hidden = folders = store.sharing(wait=False)
    except OSError:
        return None
    try:
        if device is not None and os.fstat(root).st_dev != device:  # something was mounted there
            return None
        standing = _standing(files, root)
        return None if standing is None else _publish(store, files, standing, root, hidden)
    finally:
        close_all(folders)


def _standing(files: Sequence[Small], root: int) -> set[str] | None:
    """Those of their names that something has; None where one of them is a large file's, or that cannot be found out."""
    standing = set()
    for file in files:
        try:
            about = os.stat(file.name, dir_fd=root, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except (OSError, ValueError):  # the latter: the locale has no such name, which is no other's failure
            return None
        if about.st_size > LARGE:
            return None
        standing.add(file.name)
    return standing


def _publish(store: Store, files: Sequence[Small], standing: set[str], root: int, hidden: int) -> list[Published | Exception]:
    """`standing` are those of their names that something has."""
    made = [Made(file) for file in files]
    room = Room(store)

    def put(one: Made) -> None:
        name, about = one.file.name, os.fstat(one.fd)
        os.rename(one.path, name, src_dir_fd=hidden, dst_dir_fd=root)
        one.placed(about, name in standing)
        standing.add(name)

    try:
        each(made, lambda one: one.write(fresh_name(), room, store.hashes, hidden))
        each(made, put)
    finally:
        for one in made:
            one.let_go()
    return results(made)
