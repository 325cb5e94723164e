"""How replicas ask each other for a room: each has a datagram socket in the shared folder, and whoever wants a room rings all.

The owner of the room lets go of it, the others pay no heed. A bell of a dead process is removed by the next who rings it. The
folder belongs to the service's own user, and so does everybody who can ring.
"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from twisted.logger import Logger

__all__ = ["Bell"]

SUFFIX = ".bell"
LONGEST = 256
"""Bytes of a message: the name of a room."""
AT_ONCE = 64
"""Messages that are read in one turn of the reactor."""


class Bell:
    """This replica's."""

    log = Logger()

    def __init__(self, folder: Path, replica: str, reactor: Any, rung: Callable[[str], None]) -> None:
        """`rung` is called with the name of the room that somebody wants."""
        self._folder, self._name, self._reactor, self._rung = folder, f"{replica}-{token_hex(3)}{SUFFIX}", reactor, rung
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """
        Raises:
            OSError: there can be no socket in the folder.
        """
        # by the folder's descriptor, as the path of a Unix socket may have 107 bytes only
        self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self._path(self._name))
        self._reactor.addReader(self)

    def _path(self, name: str) -> str:
        return f"/proc/self/fd/{self._descriptor}/{name}"

    def ring(self, room: str) -> None:
        """Tell all other replicas that the room is wanted here."""
        assert self._socket is not None
        for path in self._folder.glob(f"*{SUFFIX}"):
            if path.name == self._name:
                continue
            try:
                self._socket.sendto(room.encode(), self._path(path.name))
            except ConnectionRefusedError:
                with suppress(OSError):
                    path.unlink()
            except OSError as error:  # it has a full queue, or has just gone: it is rung again
                self.log.debug("{name} cannot be rung: {error}", name=path.name, error=error)

    def stop(self) -> None:
        """Nobody can ring here any more."""
        if self._socket is not None:
            self._reactor.removeReader(self)
            (self._folder / self._name).unlink(missing_ok=True)
            self._socket.close()
            os.close(self._descriptor)
            self._socket = None

    # -- descriptor of the reactor

    def fileno(self) -> int:
        """For the reactor."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "rooms"

    def doRead(self) -> None:
        """Rooms are wanted elsewhere."""
        for _ in range(AT_ONCE):
            if self._socket is None:
                return
            try:
                room = self._socket.recv(LONGEST).decode("utf-8", "replace")
            except OSError:
                return
            try:
                self._rung(room)
            except Exception:
                self.log.failure("a room could not be let go of")

    def connectionLost(self, reason: object) -> None:
        """For the reactor, at its end."""
