"""Listening sockets that are there before the router is: bound while this process may have low ports, or passed by systemd.

The router is made after privileges are dropped, so that all it makes on the disk belongs to the daemon's user. It borrows its
ports from here, as it would from a keeper (`portico.keeper`).
"""

import errno
import os
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from ..arrival import Address
from ..keeper import listen, name_of

__all__ = ["FIRST", "BoundPorts", "PassedPorts", "passed"]

FIRST = 3
"""The first descriptor that systemd passes (sd_listen_fds(3))."""


class BoundPorts:
    """Ports of this process's own; whoever borrows one owns it."""

    is_gone = True
    """Nobody else accepts from them, so what is in a queue is the borrower's to accept before it closes the port."""

    def __init__(self, addresses: Iterable[Address]) -> None:
        """Bind them all.

        Raises:
            OSError: one cannot be had; the text names it.
        """
        self._sockets: dict[Address, socket.socket] = {}
        try:
            for at in addresses:
                self._sockets[at] = listen(at)
        except OSError:
            self.close()
            raise

    def borrow(self, at: Address) -> socket.socket:
        """The socket for `at`; one that was not bound at the start is bound now, with the rights that are left.

        Raises:
            OSError: it cannot be had; the text names it.
        """
        return self._sockets.pop(at, None) or listen(at)

    def leave(self, at: Address) -> None:
        """Nothing: it was the borrower's."""

    def close(self) -> None:
        """Let go of those that nobody has borrowed."""
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()


class PassedPorts:
    """Ports that systemd holds, whichever router runs: what waits in their queues outlives a restart."""

    is_gone = False

    def __init__(self, sockets: Iterable[socket.socket]) -> None:
        self._sockets = {_at(sock): sock for sock in sockets}

    @classmethod
    def from_descriptors(cls, descriptors: Iterable[int]) -> Self:
        """Sockets by their descriptors.

        Raises:
            OSError: one of them is no listening TCP socket.
        """
        return cls([_listening(descriptor) for descriptor in descriptors])

    def borrow(self, at: Address) -> socket.socket:
        """A copy of the socket for `at`, non-blocking.

        Raises:
            OSError: systemd passes none for it; the text names those that it passes.
        """
        found = self._sockets.get(at)
        if found is None:
            there = ", ".join(name_of(each) for each in self._sockets)
            raise OSError(errno.EADDRNOTAVAIL, f"systemd passes no socket for {name_of(at)}, only for {there}")
        copy = found.dup()
        copy.setblocking(False)
        return copy

    def leave(self, at: Address) -> None:
        """Nothing: systemd has it."""

    def close(self) -> None:
        """Let go of them; systemd still has them."""
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()


def passed(environment: Mapping[str, str] | None = None) -> list[int]:
    """Descriptors that systemd has passed to this very process.

    They are looked for in the environment as the process was given it: Twisted's `systemd:` endpoints take the variables out of
    `os.environ` as soon as they are imported, whoever wants them.

    Raises:
        ValueError: the variables are not what sd_listen_fds(3) says.
    """
    given = _initial() if environment is None else environment
    process, count = given.get("LISTEN_PID"), given.get("LISTEN_FDS")
    if process is None or count is None or int(process) != os.getpid():
        return []
    descriptors = list(range(FIRST, FIRST + int(count)))
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return descriptors


def _initial() -> dict[str, str]:
    found = (os.fsdecode(each).partition("=") for each in Path("/proc/self/environ").read_bytes().split(b"\0"))
    return {name: value for name, _, value in found}


def _listening(descriptor: int) -> socket.socket:
    sock = socket.socket(fileno=descriptor)
    if (
        sock.family not in (socket.AF_INET, socket.AF_INET6)
        or sock.type != socket.SOCK_STREAM
        or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ):
        raise OSError(errno.ENOTSOCK, f"descriptor {descriptor} that systemd passes is no listening TCP socket")
    return sock


def _at(sock: socket.socket) -> Address:
    host, port = sock.getsockname()[:2]
    return host, port
