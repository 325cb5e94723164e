"""Small files of a store that lies in memory, published by the reactor itself.

There is no device to wait for, so no thread is needed, and fsync(2) would have nothing to do. What could take longer than a
moment is left to a thread. The two folders are opened once for all files: a name in an open folder is found sooner than a path.
"""

import errno
import os
from collections.abc import Sequence

from .part import Published
from .small import Made, Room, Small, each, fresh_name, results
from .store import Store

__all__ = ["LARGE", "publish_at_once"]

LARGE = 1 << 20
"""Bytes of a file that is not replaced between two turns of the reactor."""


def publish_at_once(store: Store, files: Sequence[Small]) -> list[Published | Exception] | None:
    """As `publish_all`; None, with nothing done, where it would take more than a moment.

    That is where a lock has to be waited for, or a large file would be replaced: its memory is given back page by page.
    """
    root = -1
    try:
        root = os.open(store.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        standing = {file.name for file in files if _stands(file.name, root)}
        hidden = store.sharing(wait=False)
    except OSError:
        if root >= 0:
            os.close(root)
        return None
    try:
        return _publish(store, files, standing, root, hidden)
    finally:
        os.close(hidden)
        os.close(root)


def _stands(name: str, root: int) -> bool:
    """
    Raises:
        OSError: what stands there is large.
    """
    try:
        about = os.stat(name, dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if about.st_size > LARGE:
        raise OSError(errno.EFBIG, name)
    return True


def _publish(store: Store, files: Sequence[Small], standing: set[str], root: int, hidden: int) -> list[Published | Exception]:
    """`standing` are those of their names that something has."""
    made = [Made(file) for file in files]
    room = Room(store)

    def put(one: Made) -> None:
        name, about = one.file.name, os.fstat(one.fd)
        os.rename(one.path, name, src_dir_fd=hidden, dst_dir_fd=root)
        one.placed(about, name in standing)
        standing.add(name)

    each(made, lambda one: one.write(fresh_name(), room, store.hashes, hidden))
    each(made, put)
    for one in made:
        one.let_go()
    return results(made)
