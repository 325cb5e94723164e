"""Where the operators' port is: an address and port, or `unix:PATH`, a Unix socket that its owner and group may connect to.

Several routers in one network namespace cannot all have 127.0.0.1:8081; a Unix socket each has in a folder of its own.
"""

import errno
import os
import socket
import stat
from pathlib import Path

from svckit.reactors import Reactor
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from .config import admin_address

__all__ = ["MODE", "open_admin", "remove_dead"]

MODE = 0o660
"""Of the socket's file: there is no login, so it says who may."""


def open_admin(where: str, factory: IProtocolFactory, reactor: Reactor) -> IListeningPort:
    """Listen there; a Unix socket that a dead process has left is replaced.

    Raises:
        CannotListenError, OSError: it cannot be had; the text names it.
    """
    found = admin_address(where)
    if not isinstance(found, Path):
        host, port = found
        return reactor.listenTCP(port, factory, interface=host)  # type: ignore[arg-type]
    remove_dead(found)
    before = os.umask(0o777 & ~MODE)  # from its first moment on, not from the chmod that follows
    try:
        return reactor.listenUNIX(str(found), factory, mode=MODE)  # type: ignore[arg-type]
    except CannotListenError as error:
        cause = error.socketError
        number = getattr(cause, "errno", None) or errno.EADDRINUSE
        raise OSError(number, f"cannot listen on {where}: {getattr(cause, 'strerror', None) or cause}") from None
    finally:
        os.umask(before)


def remove_dead(path: Path) -> None:
    """Remove a socket of ours at which nobody listens; whatever else is there stays, and is in the way."""
    try:
        found = path.lstat()
    except OSError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.getuid():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError:
            pass
