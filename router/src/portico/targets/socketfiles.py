"""The folder of a handoff service: which of its files are sockets that somebody listens at, whose, and which are left alone.

What a service does with its folder costs itself, not the others: what is looked at, tried and linked in one look is bounded,
and a file whose replica has broken the protocol, or took nothing, is left alone for longer each time.
"""

import os
import socket
from collections.abc import Collection, Container, Iterator
from itertools import chain, islice
from pathlib import Path

from svckit.handoff import socketfile
from svckit.handoff.peers import OVERFLOW, uid_of_peer
from svckit.reactors import Reactor
from twisted.logger import Logger

__all__ = ["ENTRIES", "LINKS_AT_ONCE", "LONGEST_SUSPENSION", "SUSPENSION", "TRIES_AT_ONCE", "SocketFiles"]

SUSPENSION = 1.0
"""Seconds until a replica whose link was given up is linked again; twice as many each time that it happens again."""
LONGEST_SUSPENSION = 60.0
"""Seconds; a link that has held for so long makes up for what was before."""
ENTRIES = 4_096
"""Entries of the folder that are looked at."""
LINKS_AT_ONCE = 16
"""New links in one look."""
TRIES_AT_ONCE = 128
"""Files that are tried in one look; those that have refused come after all others, the longest ago first."""


class SocketFiles:
    """Those of one service; each is known by its path."""

    log = Logger()

    def __init__(self, service: str, folder: Path, uid: int | None, reactor: Reactor) -> None:
        """`uid` is whose sockets are linked, where the configuration says it."""
        self._service, self._folder, self._uid, self._reactor = service, folder, uid, reactor
        self.suspended: dict[str, tuple[float, float]] = {}
        """Those that are left alone: until when, and for how long, in seconds."""
        self._refused: dict[str, int] = {}  # dead files by their inodes, the one that was tried last at the end
        self._found: dict[str, int] = {}  # all of them in the last look, by their inodes
        self._owner = 0

    def look(self) -> Collection[str] | None:
        """What is there now; None where the folder cannot be read."""
        now = self._reactor.seconds()
        try:
            owner = self._folder.stat().st_uid
            with os.scandir(self._folder) as entries:
                found = {entry.path: entry.inode() for entry in islice(entries, ENTRIES) if _is_name(entry.name)}
        except OSError:
            return None
        self._found, self._owner = found, owner
        self.suspended = {
            path: (until, span)
            for path, (until, span) in self.suspended.items()
            if path in found or until + LONGEST_SUSPENSION > now
        }
        self._refused = {path: inode for path, inode in self._refused.items() if found.get(path) == inode}
        return found

    def fresh(self, linked: Container[str], room: int) -> Iterator[tuple[str, socket.socket]]:
        """Connections to those that the last look has found and that are not `linked`, at most `room`."""
        now = self._reactor.seconds()
        ordered = chain((path for path in self._found if path not in self._refused), list(self._refused))
        fresh = (path for path in ordered if path not in linked and self.suspended.get(path, (0.0, 0.0))[0] <= now)
        room = min(LINKS_AT_ONCE, room)
        for path in islice(fresh, TRIES_AT_ONCE):
            if room <= 0:
                return
            sock = self._connect(path)
            if sock is None:
                continue
            room -= 1
            if self._is_trusted(path, sock):
                yield path, sock

    def _connect(self, path: str) -> socket.socket | None:
        self._refused.pop(path, None)
        try:
            return socketfile.connect(path)
        except OSError:  # a dead replica's file, or one that is not ready
            self._refused[path] = self._found[path]
            return None

    def _is_trusted(self, path: str, sock: socket.socket) -> bool:
        """Whether the right user listens there; who else does is left alone."""
        uid, expected = uid_of_peer(sock), self._expected(self._owner)
        if expected is None or uid == expected:
            return True
        self.log.error(
            "{service}: {path} is not linked: user {uid} listens there, and {source} says {expected}",
            service=self._service,
            path=path,
            uid=uid,
            expected=expected,
            source="the folder's owner" if self._uid is None else "`uid` in the configuration",
        )
        sock.close()
        self.suspend(path)
        return False

    def _expected(self, folder_owner: int) -> int | None:
        """The user whose replicas are linked; None where nothing tells.

        A folder that belongs to root or to the router's own user was made for the service and not by it.
        """
        if self._uid is not None:
            return self._uid
        return None if folder_owner in (0, os.getuid(), OVERFLOW) else folder_owner

    def suspend(self, path: str) -> None:
        """Leave it alone, for twice as long as the last time."""
        span = min(LONGEST_SUSPENSION, self.suspended.get(path, (0.0, SUSPENSION / 2))[1] * 2)
        self.suspended[path] = self._reactor.seconds() + span, span

    def has_held(self, path: str, seconds: float) -> None:
        """Its link has ended after so long; a long one makes up for what was before."""
        if seconds > LONGEST_SUSPENSION:
            self.suspended.pop(path, None)


def _is_name(file: str) -> bool:
    """Of a socket file. What cannot be printed, or written as UTF-8, is nobody's name: it would get into logs and status."""
    return file.endswith(".sock") and file.isprintable()
