"""Asks for names, in threads of its own, as the system's resolver waits.

A name is asked for once at a time, whoever wants it, and each in a thread of its own: one whose name server does not answer
holds up nobody else. The threads end with the process, not the other way round: a name server that hangs must not hold up
the router's end.
"""

import socket
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from svckit.reactors import Reactor

from ..arrival import Address

__all__ = ["AT_ONCE", "Found", "Resolver", "in_thread"]

AT_ONCE = 32
"""Names that are asked for at the same time; further ones wait."""

Found = Callable[[list[Address], str], None]
"""Told the addresses; without any, why."""


def in_thread(call: Callable[[], None]) -> None:
    """Run it in a thread that nobody waits for."""
    threading.Thread(target=call, name="resolver", daemon=True).start()


class Resolver:
    """The system's name resolution, for all services."""

    def __init__(self, reactor: Reactor, run: Callable[[Callable[[], None]], None] = in_thread) -> None:
        self._reactor, self._run = reactor, run
        self._asked: dict[Address, list[Found]] = {}
        self._waiting: deque[Address] = deque()
        self._running = 0

    def find(self, name: Address, found: Found) -> None:
        """Look for the addresses of `name`, host and port; `found` is called in the reactor's thread."""
        others = self._asked.get(name)
        if others is not None:
            others.append(found)
            return
        self._asked[name] = [found]
        self._waiting.append(name)
        self._next()

    def _next(self) -> None:
        while self._waiting and self._running < AT_ONCE:
            self._running += 1
            name = self._waiting.popleft()
            try:
                self._run(partial(self._ask, name))
            except RuntimeError as error:  # no thread to be had
                self._told(name, [], str(error))

    def _ask(self, name: Address) -> None:
        """In a thread."""
        addresses: list[Address] = []
        why = ""
        try:
            for entry in socket.getaddrinfo(*name, 0, socket.SOCK_STREAM):
                addresses.append((str(entry[4][0]), int(entry[4][1])))
        except (OSError, UnicodeError) as error:  # the latter for a label that is empty or too long
            why = getattr(error, "strerror", None) or str(error)
        self._reactor.callFromThread(self._told, name, addresses, why)

    def _told(self, name: Address, addresses: list[Address], why: str) -> None:
        self._running -= 1
        for found in self._asked.pop(name):
            found(addresses, why)
        self._next()
