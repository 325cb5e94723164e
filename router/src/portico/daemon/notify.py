"""What systemd is told: ready, draining, still alive (sd_notify(3), `Type=notify`, `WatchdogSec=`)."""

import os
import socket
from collections.abc import MutableMapping

from svckit.reactors import Reactor
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

__all__ = ["Notifier"]


class Notifier:
    """Tells systemd, where it has asked to be told; elsewhere it does nothing."""

    log = Logger()

    def __init__(self, reactor: Reactor, environment: MutableMapping[str, str] = os.environ) -> None:
        """`environment` has NOTIFY_SOCKET and WATCHDOG_USEC (microseconds); they are taken out, as they are for us alone."""
        address = environment.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        process = environment.pop("WATCHDOG_PID", str(os.getpid()))
        microseconds = environment.pop("WATCHDOG_USEC", "")
        self._interval = int(microseconds) / 2e6 if microseconds.isdecimal() and process == str(os.getpid()) else 0.0
        self._beating = LoopingCall(self.say, "WATCHDOG=1")
        self._beating.clock = reactor

    def ready(self) -> None:
        """It serves; from now on it says twice in each watchdog time that it lives."""
        self.say("READY=1", f"MAINPID={os.getpid()}", "STATUS=serving")
        if self._address and self._interval and not self._beating.running:
            self._beating.start(self._interval)

    def draining(self) -> None:
        """It ends, in good order. The watchdog goes on."""
        self.say("STOPPING=1", "STATUS=draining")

    def ended(self) -> None:
        """Nothing is left."""
        if self._beating.running:
            self._beating.stop()

    def say(self, *lines: str) -> None:
        """One datagram; one that cannot be sent is no reason to end."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            self.log.warn("systemd is not told {what}: {why}", what=lines[0], why=error.strerror or error)
