"""The socket file of a replica: while it is open, routers link here."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from ..peers import NotTheRouter, let_in
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
            sock = let_in(self._listener, self._router_uid)
        except NotTheRouter as other:
            log.error("%s", other)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._loop.remove_reader(self._listener)
                self._loop.call_later(REST, self._rested)
        else:
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
