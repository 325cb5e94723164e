"""What the rules are tried with: the replica, routers and clients, and that all is closed after each rule."""

import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...settings import HAND_BACK_TIMEOUT
from .broken import Broken
from .client import Client
from .router import ELSEWHERE, LISTENER, PlayedRouter

__all__ = ["ELSEWHERE", "LISTENER", "TAKE_TIMEOUT", "Bench", "Broken", "Client", "PlayedRouter"]


TAKE_TIMEOUT = 2.0
"""Seconds for TAKEN: a router's `take_timeout`, unless it is told otherwise, and what a replica gives a router."""


@dataclass
class Bench:
    """The replica under trial; closes what a rule has opened."""

    socket: Path
    path: str = "/"
    """Of the service behind it: `GET path` is answered."""
    stop: Callable[[], None] | None = None
    """Tells it to drain."""
    patience: float = 5.0
    """Seconds until what must happen counts as not happening."""
    hand_back_timeout: float = HAND_BACK_TIMEOUT
    """Seconds that the replica waits for a router to hand back to."""
    take_timeout: float = TAKE_TIMEOUT
    """Seconds after which a router takes back what the replica has not taken."""
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _ports: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(50_000, 60_000)))

    @contextmanager
    def one_rule(self) -> Iterator[None]:
        """Everything that is opened meanwhile is closed."""
        with contextlib.ExitStack() as self._open:
            yield

    def router(self, welcome: bool = True) -> PlayedRouter:
        """A new link, welcomed or not."""
        made = PlayedRouter(self.socket, self.patience)
        self._open.callback(made.close)
        if welcome:
            made.welcome()
        return made

    def client(self) -> Client:
        """A new connection that nobody has been handed yet."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.create_connection(listener.getsockname())
            accepted, _ = listener.accept()
        ours.settimeout(self.patience)
        self._open.callback(ours.close)
        self._open.callback(accepted.close)
        return Client(ours, accepted, ("192.0.2.7", next(self._ports)), self.patience, self.path)

    def served(self, router: PlayedRouter, client: Client | None = None) -> Client:
        """A connection that is taken, has had one answer, and is the replica's alone."""
        client = client or self.client()
        number = router.hand(client, client.request())
        router.hear_taken(number)
        client.accepted.close()
        client.expect_answer("the first request")
        return client

    def pipe(self) -> tuple[int, int]:
        """Its reading end sees the end of file when nobody has the writing end any more."""
        reading, writing = os.pipe()
        self._open.callback(os.close, reading)
        return reading, writing
