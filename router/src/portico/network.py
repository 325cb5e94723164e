"""Notice that the network is gone: the namespace that this process shares with another container has died.

In the compose file the router lives in the network namespace of `gate`. When gate is restarted it gets a new namespace, and the
router is left in the old one, which has no interface but the loopback one: it looks healthy and nobody can reach it. So it
looks, and ends; its restart policy brings it up in the new namespace. What it had handed over lives on.
"""

from collections.abc import Callable
from pathlib import Path

from svckit.reactors import Reactor
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

__all__ = ["LOOK_INTERVAL", "NetworkWatch"]

LOOK_INTERVAL = 1.0
"""Seconds between two looks."""
LOOKS = 3
"""Looks in a row that must find nothing. By then the container whose network it was runs again, and can be joined."""
INTERFACES = Path("/sys/class/net")


class NetworkWatch:
    """Calls `lost`, once, when all interfaces but the loopback one have gone that were there at the start."""

    log = Logger()

    def __init__(self, reactor: Reactor, lost: Callable[[], None], interfaces: Path = INTERFACES) -> None:
        self._lost, self._interfaces = lost, interfaces
        self._had = self._others()
        self._missed = 0
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def start(self) -> None:
        """Begin to look; without a network at the start there is nothing to lose."""
        if self._had:
            self._looking.start(LOOK_INTERVAL, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._looking.running:
            self._looking.stop()

    def _others(self) -> list[str]:
        try:
            return sorted(entry.name for entry in self._interfaces.iterdir() if entry.name != "lo")
        except OSError:
            return []

    def _look(self) -> None:
        self._missed = 0 if self._others() else self._missed + 1
        if self._missed == LOOKS:
            self.log.error("the network is gone ({had}), this router ends", had=", ".join(self._had))
            self.stop()
            self._lost()
