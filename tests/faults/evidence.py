"""What the containers themselves say: their logs, also of those that are gone, and how many descriptors they have open."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import docker
from docker.models.containers import Container

from ..support.compose import Compose, inside
from ..support.site import json_lines
from .load import Asked, Load

__all__ = [
    "LOOK",
    "ROUTER",
    "STARTING",
    "Killed",
    "Logs",
    "Taker",
    "descriptors",
    "explained",
    "patiently",
    "program",
    "takers",
]

ROUTER = "router"
"""Name of the router among what was killed; replicas have that of their container."""
SLACK = 0.005
"""Seconds: the log tells milliseconds, cut off."""
AFTER_DEATH = 1.0
"""Seconds in which clients of a killed process see that it is gone."""
STARTING = 30.0
"""Seconds that a container may take to come back."""

LOOK = 0.1
"""Seconds between two looks for containers that are new."""

_PROGRAM = (
    "import os, pathlib\n"
    "for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):\n"
    "    pid, _, rest = stat.read_text().partition(' ')\n"
    "    if rest.rpartition(')')[2].split()[1] == '1': {do}\n"
)


_Result = TypeVar("_Result")


def patiently(do: Callable[[], _Result]) -> _Result:
    """Do it, again and again while the engine says that the container is gone (404) or restarting (409).

    Raises:
        docker.errors.APIError: it does not come back, or anything else is wrong.
    """
    end = time.monotonic() + STARTING
    while True:
        try:
            return do()
        except docker.errors.APIError as error:
            if error.status_code not in (404, 409) or time.monotonic() > end:
                raise
        time.sleep(LOOK)


def program(container: Container, do: str) -> str:
    """Run `do` in the container, where `pid` is that of its program: the child of PID 1, which is the container's init."""
    return inside(container, _PROGRAM.format(do=do))


def descriptors(compose: Compose, *services: str) -> dict[str, int]:
    """How many descriptors each container's program has open."""
    count = "print(len(os.listdir(f'/proc/{pid}/fd')))"
    found = [each for service in services for each in compose.containers(service)]
    return {str(each.name): int(patiently(partial(program, each, count))) for each in found}


@dataclass(frozen=True)
class Killed:
    """A process that was killed, at some time between the two."""

    name: str
    since: float
    until: float

    def explains(self, asked: Asked) -> bool:
        """Whether the request was under way then, and its client saw the end soon."""
        return asked.began <= self.until and self.since <= asked.ended <= self.until + AFTER_DEATH


@dataclass(frozen=True)
class Taker:
    """A replica that has said TAKEN for a connection."""

    service: str
    replica: str
    at: float


def takers(lines: Iterable[dict[str, object]], asked: Asked) -> list[Taker]:
    """Who has taken the request's connection, in order, as the router's log tells.

    Another connection may have the same port before or after: a line counts if
    all that it speaks of lies within this one's time.
    """
    found = []
    for line in lines:
        if line.get("log") != "access" or line.get("port") != asked.port or line.get("how") != "handed over":
            continue
        at = datetime.fromisoformat(str(line["time"])).timestamp()
        came = at - float(str(line["ms"])) / 1000
        if asked.connected - SLACK <= came and at <= asked.ended + SLACK:
            found.append(Taker(str(line["service"]), str(line["replica"]), at))
    return sorted(found, key=lambda taker: taker.at)


def explained(asked: Asked, taken: list[Taker], killed: Iterable[Killed], answered: bool = False) -> bool:
    """Whether a lost request was in the hands of what was killed. `answered`: a service says that it has answered it.

    That is the last that had taken its connection. It is the router while nobody has taken it for this request: the first of
    a connection, or one that makes a service hand it back. A killed router's last lines are missing, so whose the connection
    was before is what the client knows.
    """
    last = taken[-1] if taken else None
    for each in killed:
        if not each.explains(asked):
            continue
        if each.name == ROUTER:
            passes = asked.before is None or asked.before.service != asked.page.service
            since = asked.connected if asked.before is None else asked.began
            if passes and not answered and (last is None or last.at < since - SLACK):
                return True
        elif last is not None and last.replica.startswith(each.name) and last.at <= each.until:
            return True
    return False


class Logs:
    """Reads along what the containers of some services write, from now on."""

    def __init__(self, compose: Compose, *services: str) -> None:
        self._compose, self._services = compose, services
        self._threads: dict[str, threading.Thread] = {}
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._lines: dict[str, list[dict[str, object]]] = {service: [] for service in services}

    def __enter__(self) -> Self:
        self._look()
        self._looking = threading.Thread(target=self._keep_looking, daemon=True)
        self._looking.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._looking.join(10)

    def _keep_looking(self) -> None:
        while not self._over.wait(LOOK):
            self._look()

    def _look(self) -> None:
        for service in self._services:
            with contextlib.suppress(docker.errors.APIError):
                for container in self._compose.containers(service):
                    if container.id is not None and container.id not in self._threads:
                        thread = threading.Thread(target=self._follow, args=(service, container), daemon=True)
                        self._threads[container.id] = thread
                        thread.start()

    def _follow(self, service: str, container: Container) -> None:
        last = ""  # the engine's stamp of the last line: a container that is started again is followed again
        while not self._over.wait(LOOK):
            left = b""
            with contextlib.suppress(docker.errors.DockerException, OSError):
                for piece in container.logs(stream=True, follow=True, timestamps=True):
                    *lines, left = (left + piece).split(b"\n")
                    stamped = [line.decode(errors="replace").partition(" ") for line in lines]
                    fresh = [(stamp, text) for stamp, _, text in stamped if stamp > last]
                    found = list(json_lines("\n".join(text for _, text in fresh)))
                    last = max([last, *(stamp for stamp, _ in fresh)])
                    with self._lock:
                        self._lines[service] += found

    def lines(self, service: str) -> list[dict[str, object]]:
        """All so far."""
        with self._lock:
            return list(self._lines[service])

    def answered(self, load: Load) -> Counter[int]:
        """How often each request of the load has been answered by a service."""
        numbers = {load.uri(asked): asked.number for asked in load.asked}
        return Counter(
            numbers[uri]
            for service in {page.service for page in load.pages}
            for line in self.lines(service)
            if (uri := str(line.get("uri"))) in numbers
        )
