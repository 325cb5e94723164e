"""The lock of one upload, and the bell by which a second request asks for it.

A client whose connection hangs comes again on another one, and perhaps to another replica. The first request may not notice
for long that nobody is there any more, and it must not write on while the second one does. So whoever works at an upload has
a lock of the kernel's (flock), which a crash sets free. Who finds it taken rings: the lock is that of a named pipe, and a byte
in the pipe wakes up the holder, which lets go.

A file with a process's number in it would not do: in containers all have the same one.
"""

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Listening", "Lock", "make", "try_lock"]

_FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # Linux opens both ends of a pipe at once, so none is missing


def make(path: Path) -> None:
    """The bell of a new upload."""
    os.mkfifo(path, 0o600)


class Lock:
    """Held from `try_lock` until `release`."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self._fd = path, fd

    def release(self) -> None:
        """Also right when it is released already."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.release()


def try_lock(path: Path, ring: bool = True) -> Lock | None:
    """The lock of the bell `path`; None where somebody has it, who hears it ring.

    Raises:
        FileNotFoundError: there is no such upload, or no more.
    """
    fd = os.open(path, _FLAGS)
    lock = Lock(path, fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if ring:
            with suppress(BlockingIOError):  # a full pipe has rung often enough
                os.write(fd, b"!")
        lock.release()
        return None
    try:
        if path.stat().st_ino != os.fstat(fd).st_ino:
            raise FileNotFoundError(errno.ENOENT, "the upload has been removed")
    except OSError:
        lock.release()
        raise
    _drain(fd)  # who rang for the one before us is not told from who will ring for us; they ring again
    return lock


def _drain(fd: int) -> None:
    with suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


@implementer(IReadDescriptor)
class Listening:
    """Waits in the reactor for the bell; `rung` is called once, unless `stop` is called before."""

    def __init__(self, lock: Lock, reactor: IReactorFDSet, rung: Callable[[], None]) -> None:
        self._reactor, self._rung = reactor, rung
        self._fd = os.open(lock.path, _FLAGS)
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:
        return "upload's bell"

    def doRead(self) -> None:
        try:
            os.read(self._fd, 4096)
        except BlockingIOError:
            return  # a waiting request has taken the lock meanwhile, and drained it
        self.stop()
        self._rung()

    def connectionLost(self, reason: Failure) -> None:
        self.stop()

    def stop(self) -> None:
        """Also right when it has rung."""
        if self._fd >= 0:
            self._reactor.removeReader(self)
            os.close(self._fd)
            self._fd = -1
