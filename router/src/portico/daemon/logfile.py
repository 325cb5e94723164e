"""A log file that rotates by size and by day, or is opened anew when logrotate has moved it, and that nothing makes fail.

Twisted's own (`twisted.python.logfile.LogFile`) closes the file before it renames it, so a rename that fails leaves it closed
for good. Here each step is done before the one that it replaces is given up: where a file cannot be renamed or opened, what was
open stays so, a remark says why, and it is tried again later. Where the disk takes no more, lines are dropped and counted; the
count is written when there is room again.
"""

import contextlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import NamedTuple

__all__ = ["MODE", "RETRY", "STANDARD", "LogFile", "Rotation"]

MODE = 0o640
"""Of a new log file; the umask takes its part."""
RETRY = 60.0
"""Seconds after a rotation that failed until the next try."""


class Rotation(NamedTuple):
    """When a file is put aside, as `NAME.1`, `NAME.2` and so on."""

    size: int = 10_000_000
    """Bytes; 0: never for its size."""
    daily: bool = False
    """With the first line of a new day, local time."""
    keep: int = 10
    """How many; the oldest is removed. 0: none."""


STANDARD = Rotation()


class LogFile:
    """Something to write text to, from any thread."""

    def __init__(
        self,
        path: Path,
        rotation: Rotation = STANDARD,
        owner: tuple[int, int] | None = None,
        remark: Callable[[str], str] = "{}\n".format,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`owner` (uid, gid) is whose the file becomes if it is not there yet; `remark` makes a line of the file's own words.

        Raises:
            OSError: it cannot be opened, or its name is a symbolic link in a folder that others may write.
        """
        self.path, self._rotation, self._remark, self._clock = path, rotation, remark, clock
        self._lock = Lock()
        self._lost = 0
        self._not_before = 0.0
        self._file = -1
        self._use(_open(path, owner))

    def _use(self, descriptor: int) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = descriptor
        found = os.fstat(descriptor)
        self._regular = stat.S_ISREG(found.st_mode)
        self._size = found.st_size
        self._day = _day(found.st_mtime if found.st_size else self._clock())

    # -- as a stream

    def write(self, text: str) -> None:
        """Write it, after a rotation if one is due. It never raises an error."""
        data = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if self._is_due():
                self._rotate()
            self._write(data)

    def flush(self) -> None:
        """Nothing waits."""

    def _write(self, data: bytes) -> None:
        if self._lost:
            said = self._remark(f"{self._lost} writes to the log were lost, as they failed").encode()
            if not self._all(said):
                self._lost += 1
                return
            self._lost = 0
        if not self._all(data):
            self._lost += 1

    def _all(self, data: bytes) -> bool:
        """Whether all of it was written; if not, what was is taken back, so that no line is cut."""
        done = 0
        try:
            while done < len(data):
                done += os.write(self._file, data[done:] if done else data)
        except OSError:
            if done and self._regular:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, self._size)
            return False
        self._size += done
        return True

    # -- rotation

    def _is_due(self) -> bool:
        size, daily, _ = self._rotation
        if not self._regular or not self._size:
            return False
        due = (size and self._size >= size) or (daily and _day(self._clock()) != self._day)
        return bool(due) and self._clock() >= self._not_before

    def rotate(self) -> None:
        """Put the file aside and begin a new one, whatever its size."""
        with self._lock:
            if self._regular:
                self._rotate()

    def _rotate(self) -> None:
        try:
            fresh = Path(f"{self.path}.new")
            fresh.unlink(missing_ok=True)
            descriptor = _open(fresh, None)
            try:
                os.fchmod(descriptor, stat.S_IMODE(os.fstat(self._file).st_mode))  # whatever the umask is by now
                _shift(self.path, self._rotation.keep)
                fresh.replace(self.path)
            except OSError:
                os.close(descriptor)
                with contextlib.suppress(OSError):
                    fresh.unlink(missing_ok=True)
                raise
            self._use(descriptor)
        except OSError as error:
            self._failed("cannot be rotated", error)

    def reopen(self) -> None:
        """Open the path anew: the file that was open has been moved away."""
        with self._lock:
            try:
                self._use(_open(self.path, None))
            except OSError as error:
                self._failed("cannot be opened again", error)

    def _failed(self, what: str, error: OSError) -> None:
        self._not_before = self._clock() + RETRY
        text = f"the log {self.path} {what}, what is open stays in use: {error.strerror or error}"
        self._write(self._remark(text).encode())

    def close(self) -> None:
        """Use it no more."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


def _day(seconds: float) -> tuple[int, int]:
    then = time.localtime(seconds)
    return then.tm_year, then.tm_yday


def _shift(path: Path, keep: int) -> None:
    """`NAME` becomes `NAME.1`, `NAME.1` becomes `NAME.2`; what would be beyond `keep` goes."""
    for number in range(keep, 0, -1):
        older = path if number == 1 else Path(f"{path}.{number - 1}")
        with contextlib.suppress(FileNotFoundError):
            older.replace(f"{path}.{number}")


def _open(path: Path, owner: tuple[int, int] | None) -> int:
    """For appending. Root follows no link where another user could have laid it."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
    if os.geteuid() == 0 and not str(path).startswith("/dev/"):
        flags |= os.O_NOFOLLOW
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, MODE)
        if owner is not None and os.geteuid() == 0:
            os.fchown(descriptor, *owner)
        return descriptor
    return os.open(path, flags)
