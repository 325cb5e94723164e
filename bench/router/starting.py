"""How long it takes from a replica's start to its first connection, with clients that wait for it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.site import free_port

from .clients import ask, connect
from .replies import SERVICES
from .sample import Failed
from .stage import Running, Stage

__all__ = ["Start", "first_connection"]

LONGEST = 20.0
RETRY = 0.005
"""Seconds between a refused try and the next."""


@dataclass
class Start:
    """In seconds."""

    after_start: float
    """From the start of its process, most of which is Python's own start, to the first right answer."""
    after_ready: float
    """The same from when it listens."""
    refused: int
    """Tries that were refused or answered with an error before."""


def first_connection(stage: Stage, make: Callable[[Stage], Running]) -> Start:
    """A router with nothing behind it, a client that asks, and then the replica.

    Raises:
        Failed: no answer came.
        Missing: the contender does not start.
    """
    alone = stage.aside()
    alone.run = alone.folder / "run"
    alone.backend_ports = {service: free_port() for service in SERVICES}
    for service in SERVICES:
        (alone.run / service).mkdir(parents=True)
    contender = make(alone)
    client = _Client(contender.port("static"))
    backend = None
    try:
        client.start()
        time.sleep(0.1)
        began = time.monotonic()
        backend = stage.start_backend(alone.run, alone.backend_ports)
        client.join(LONGEST)
        if not client.answered:
            raise Failed("no answer from a replica that was started")
        ready = max((alone.run / service).stat().st_mtime for service in SERVICES)
        return Start(client.answered - began, max(0.0, client.answered_clock - ready), client.refused)
    finally:
        client.enough = True
        for process in (contender.process, backend):
            if process is not None:
                stage.end(process)


class _Client(threading.Thread):
    """Asks until it gets an answer."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.answered = self.answered_clock = 0.0
        self.refused = 0
        self.enough = False

    def run(self) -> None:
        end = time.monotonic() + LONGEST
        while not self.enough and time.monotonic() < end:
            try:
                with connect(self._port) as sock:
                    status, _ = ask(sock, "/static/1k")
                if status == 200:
                    self.answered, self.answered_clock = time.monotonic(), time.time()
                    return
            except (Failed, OSError):
                pass
            self.refused += 1
            time.sleep(RETRY)
