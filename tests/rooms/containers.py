"""A router and replicas of `rooms` as containers of a compose project of their own."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..support.compose import Compose, log_of
from ..support.site import free_port, wait_for_listener

__all__ = ["Containers", "containers"]

PROJECT = "portico-rooms"
START_TIME = 120.0


class Containers:
    """See `host.Host`."""

    def __init__(self, compose: Compose) -> None:
        self._compose, self._replicas = compose, 1

    def url(self, room: str) -> str:
        return f"ws://127.0.0.1:{self._compose.port}/ws/rooms/{room}"

    def add(self) -> None:
        """One replica more; on return it takes connections, whatever the engine's checks have found by then."""
        self._replicas += 1
        self._scale()

    def remove(self) -> "Leaving":
        """One replica less, when somebody waits for that."""
        self._replicas -= 1
        return Leaving(self)

    def _scale(self) -> None:
        scale = f"rooms={self._replicas}"
        self._compose.call(
            "up", "-d", "--no-build", "--no-recreate", "--no-deps", "--scale", scale, "rooms", seconds=START_TIME
        )
        end = time.monotonic() + START_TIME
        while not all("is ready at" in log_of(each) for each in self._compose.containers("rooms")):
            assert time.monotonic() < end, f"a replica is not there within {START_TIME:g} s"
            time.sleep(0.2)

    @property
    def log(self) -> str:
        """Of the replicas that are there and the router: what went wrong."""
        texts = [log_of(each) for service in ("rooms", "router") for each in self._compose.containers(service)]
        return "\n".join(
            line for text in texts for line in text.splitlines() if '"level":"error"' in line or "Traceback" in line
        )


@dataclass(frozen=True, slots=True)
class Leaving:
    """Replicas that are to go."""

    stage: Containers

    def wait(self, seconds: float) -> int:
        """All that are to go by now have gone."""
        self.stage._scale()
        return 0

    @property
    def log(self) -> str:
        return self.stage.log


@contextlib.contextmanager
def containers() -> Iterator[Containers]:
    """The gate, a router and one replica, which leave nothing."""
    compose = Compose(PROJECT, free_port())
    compose.environment["COMPOSE_FILE"] = "docker-compose.yml:tests/rooms/rooms.yml"
    try:
        compose.down()
        compose.call("up", "--build", "--wait", "--quiet-pull", "gate", "router", "rooms", seconds=600)
        wait_for_listener("127.0.0.1", compose.port)
        yield Containers(compose)
    finally:
        compose.down()
        compose.client.close()
