"""The socket file of a replica: while it is open, routers link here."""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

from ..peers import uid_of_peer
from ..socketfile import bind, sweep

__all__ = ["Door"]

REST = 0.1
"""Seconds without accepting links when descriptors have run out."""

log = logging.getLogger("svckit.handoff")


class Door:
    """Lets in routers, one socket for each."""

    def __init__(self, path: Path, router_uid: int | None, linked: Callable[[socket.socket], None]) -> None:
        """`path` is the file's; `router_uid`: see `Replica`. `linked` gets the sockets."""
        self._path, self._router_uid, self._linked = path, router_uid, linked
        self._listener: socket.socket | None = None

    @property
    def is_open(self) -> bool:
        return self._listener is not None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen.

        Raises:
            OSError: the folder is not ours to write in, or a living replica has this name.
        """
        self._loop = loop
        sweep(self._path.parent)
        self._listener = bind(self._path)
        loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        """A router connects."""
        assert self._listener is not None
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._loop.remove_reader(self._listener)
                self._loop.call_later(REST, self._rested)
            return
        uid = uid_of_peer(sock)
        if self._router_uid is not None and uid not in (self._router_uid, os.getuid()):  # our own user asks whether we are well
            log.error("user %d wants to link, and the router's is %d: refused", uid, self._router_uid)
            sock.close()
            return
        self._linked(sock)

    def _rested(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Remove the file and link nobody any more."""
        if self._listener is not None:
            self._path.unlink(missing_ok=True)  # before anything else: no router links any more
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
