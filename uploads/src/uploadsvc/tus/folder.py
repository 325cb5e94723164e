"""The folder of one upload: a file in it is written whole, all of it is removed, and it tells its age. All of this blocks."""

import os
from pathlib import Path

from ..part import sync_folder, write_all

__all__ = ["age_of", "remove", "write"]


def age_of(folder: Path, now: float) -> float:
    """Seconds since something was written."""
    return now - max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))


def remove(folder: Path) -> bool:
    """All of it, however much of it was made; always True."""
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    folder.rmdir()
    return True


def write(path: Path, content: bytes) -> None:
    """All of it or nothing, also over a crash."""
    fresh = path.with_suffix(".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, [content])
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    sync_folder(path.parent)
