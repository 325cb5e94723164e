"""What the containers themselves say: their logs, also of those that are gone, and how many descriptors they have open."""

import contextlib
import threading
from collections import Counter
from types import TracebackType
from typing import Self

import docker
from docker.models.containers import Container

from ..support.compose import Compose, inside
from ..support.site import json_lines
from .load import Load

__all__ = ["Logs", "descriptors", "program"]

LOOK = 0.1
"""Seconds between two looks for containers that are new."""

_PROGRAM = (
    "import os, pathlib\n"
    "for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):\n"
    "    pid, _, rest = stat.read_text().partition(' ')\n"
    "    if rest.rpartition(')')[2].split()[1] == '1': {do}\n"
)


def program(container: Container, do: str) -> str:
    """Run `do` in the container, where `pid` is that of its program: the child of PID 1, which is the container's init."""
    return inside(container, _PROGRAM.format(do=do))


def descriptors(compose: Compose, *services: str) -> dict[str, int]:
    """How many descriptors each container's program has open."""
    count = "print(len(os.listdir(f'/proc/{pid}/fd')))"
    return {str(each.name): int(program(each, count)) for service in services for each in compose.containers(service)}


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

    def answered(self, load: Load, service: str = "static") -> Counter[int]:
        """How often each request of the load has been answered by the service."""
        numbers = {load.uri(asked): asked.number for asked in load.asked}
        return Counter(numbers[uri] for line in self.lines(service) if (uri := str(line.get("uri"))) in numbers)

    def taken_by(self, port: int) -> list[str]:
        """Replicas that have said TAKEN for the connection from this port of the client's, in order."""
        return [
            str(line["replica"])
            for line in self.lines("router")
            if line.get("log") == "access" and line.get("port") == port and line.get("how") == "handed over"
        ]
