"""Who hears of a finished upload: a command, or a server by HTTP; and the service that tells them."""

import http.client
import shlex
import ssl
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlsplit

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from .journal import Journal
from .sink import Run

__all__ = ["HOOK_TIME", "INTERVAL", "LONGEST_PAUSE", "WEBHOOK_TIME", "NotTold", "Teller", "by_command", "by_http"]

INTERVAL = 0.5
"""Seconds between looks for events."""
LONGEST_PAUSE = 60.0
"""Seconds to the next try, at most, where the hook or webhook has failed; they double from `INTERVAL`."""
HOOK_TIME = 60.0
"""Seconds that a hook may take; then it is killed, and has failed."""
WEBHOOK_TIME = 10.0
"""Seconds for each step of a webhook: connecting, sending, waiting for the answer."""

Tell = Callable[[bytes], None]


class NotTold(Exception):
    """Whoever was to hear of it has not."""


def by_command(command: str) -> Tell:
    """Runs `command` (split as a shell does, and run without one) with the event on its standard input; 0 is success.

    Raises:
        ValueError: the quotes do not match, or there is no word.
    """
    words = shlex.split(command)
    if not words:
        raise ValueError("no command")
    return partial(_run, words)


def _run(words: list[str], line: bytes) -> None:
    try:
        done = subprocess.run(words, input=line, timeout=HOOK_TIME, check=False)  # noqa: S603  # the operator's own
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotTold(f"{words[0]}: {error}") from None
    if done.returncode:
        raise NotTold(f"{words[0]} ended with {done.returncode}")


def by_http(url: str) -> Tell:
    """POSTs the event as JSON to `url`; any 2xx is success, a redirect is not followed.

    Raises:
        ValueError: it is no http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no http or https URL")
    return partial(
        _post, parts.scheme, parts.hostname, parts.port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    )


def _post(scheme: str, host: str, port: int | None, target: str, line: bytes) -> None:
    connection: http.client.HTTPConnection
    if scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=WEBHOOK_TIME, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=WEBHOOK_TIME)
    try:
        connection.request("POST", target, line, {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NotTold(f"{host}: {error}") from None
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise NotTold(f"{host} answered {status}")


class Teller(Service):
    """Looks for events and delivers them, in a thread; what fails is tried again, later and later."""

    log = Logger()

    def __init__(self, journal: Journal, spool: Path | None, tell: Tell | None, run: Run, clock: Any) -> None:
        self._journal, self._spool, self._tell = journal, spool, tell
        self._run_job, self._clock = run, clock
        self._pause = INTERVAL
        self._next: IDelayedCall | None = None
        self._busy: Deferred[Any] | None = None

    def startService(self) -> None:
        super().startService()
        self._look()

    def stopService(self) -> "Deferred[Any] | None":
        super().stopService()
        if self._next is not None and self._next.active():
            self._next.cancel()
        return self._busy

    def _look(self) -> None:
        self._busy = self._run_job(self._deliver)
        self._busy.addCallbacks(self._delivered, self._failed)
        self._busy.addBoth(self._again)

    def _deliver(self) -> int:
        self._journal.settle(time())
        # one that is to end leaves the rest to the others: a backlog may take longer than anybody waits for a replica
        return self._journal.deliver(self._spool, self._tell, lambda: self.running)

    def _delivered(self, count: int) -> None:
        self._pause = INTERVAL

    def _failed(self, reason: Failure) -> None:
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        if reason.check(NotTold):
            self.log.warn("an event is not told yet: {why}", why=reason.getErrorMessage())
        else:
            self.log.failure("events could not be delivered", reason)

    def _again(self, _: None) -> None:
        self._busy = None
        if self.running:
            self._next = self._clock.callLater(self._pause, self._look)
