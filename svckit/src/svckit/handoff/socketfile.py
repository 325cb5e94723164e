"""The socket files in a service's folder: each stands for a replica that can be reached."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["bind", "connect", "is_alive", "sweep"]

BACKLOG = 16
"""Routers that may be waiting to be linked."""
LOCK_TIME = 2.0
"""Seconds that a start waits for others which look through the folder; that takes them no time."""
LOCK_RETRY = 0.01
"""Seconds."""
UMASK = 0o117
"""Owner and group may connect; the group is shared by the router and the services."""


def bind(path: Path) -> socket.socket:
    """A listening SOCK_SEQPACKET socket at `path`, in place of a dead one.

    Raises:
        OSError: the folder is not ours to write in, the path is too long, or a living process listens there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent) as alone:
        if not alone:
            raise OSError(errno.EBUSY, f"{path}: another replica has locked the folder and does not go on")
        if os.path.lexists(path) and is_alive(path):
            raise OSError(errno.EADDRINUSE, f"{path}: {os.strerror(errno.EADDRINUSE)}")
        return _listen(path)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    unready = path.with_suffix(".new")
    before = os.umask(UMASK)
    try:
        unready.unlink(missing_ok=True)
        listener.bind(str(unready))
        listener.listen(BACKLOG)
        unready.rename(path)  # appears when it listens, never before: the router would take it for dead
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{path}: {os.strerror(error.errno or 0) if error.errno else error}") from None
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def connect(path: Path | str) -> socket.socket:
    """A non-blocking connection to the replica at `path`. A symbolic link is not followed: it may lead anywhere.

    Raises:
        OSError: ECONNREFUSED and ENOENT mean that it is gone, EAGAIN that it does not accept just now.
    """
    file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return _connect(file)
    finally:
        os.close(file)


def _connect(file: int) -> socket.socket:
    """To the socket file that is open (O_PATH), whatever it is called by now."""
    if not stat.S_ISSOCK(os.fstat(file).st_mode):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "not a socket")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        sock.connect(f"/proc/self/fd/{file}")
    except OSError:
        sock.close()
        raise
    return sock


def is_alive(path: Path) -> bool:
    """Whether somebody listens at `path`."""
    try:
        connect(path).close()
    except OSError as error:
        return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
    return True


def sweep(folder: Path) -> None:
    """Remove the files that dead replicas have left; where another replica has the folder locked, it does so."""
    with contextlib.suppress(FileNotFoundError), _alone(folder) as alone:
        for path in folder.glob("*.sock") if alone else ():
            if not is_alive(path):
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Lock the folder among its replicas: between the look whether a file is dead and its removal no living one may come.

    False where that does not succeed in `LOCK_TIME`. The lock of a process that dies goes with it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    end = time.monotonic() + LOCK_TIME
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(LOCK_RETRY)
        else:
            return True
