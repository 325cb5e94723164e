"""The socket files in a service's folder: each stands for a replica that can be reached."""

import contextlib
import errno
import os
import socket
from pathlib import Path

__all__ = ["bind", "connect", "is_alive", "sweep"]

BACKLOG = 16
"""Routers that may be waiting to be linked."""
UMASK = 0o117
"""Owner and group may connect; the group is shared by the router and the services."""


def bind(path: Path) -> socket.socket:
    """A listening SOCK_SEQPACKET socket at `path`, in place of a dead one.

    Raises:
        OSError: the folder is not ours to write in, the path is too long, or a living process listens there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if is_alive(path):
            raise OSError(errno.EADDRINUSE, f"{path}: {os.strerror(errno.EADDRINUSE)}")
        path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    unready = path.with_suffix(".new")
    before = os.umask(UMASK)
    try:
        unready.unlink(missing_ok=True)
        listener.bind(str(unready))
        listener.listen(BACKLOG)
        unready.rename(path)  # appears when it listens, never before: a sweep would take it for dead
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{path}: {os.strerror(error.errno or 0) if error.errno else error}") from None
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def connect(path: Path | str) -> socket.socket:
    """A non-blocking connection to the replica at `path`.

    Raises:
        OSError: ECONNREFUSED and ENOENT mean that it is gone, EAGAIN that it does not accept just now.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        sock.connect(str(path))
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
    """Remove the files that dead replicas have left."""
    with contextlib.suppress(FileNotFoundError):
        for path in folder.glob("*.sock"):
            if not is_alive(path):
                path.unlink(missing_ok=True)
