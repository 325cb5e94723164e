"""Wrong logins, many and fast, while somebody else logs in."""

import http.client
import threading
import time
from base64 import b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..support.compose import Compose
from ..support.site import Site
from .clients import PAGE, User

__all__ = ["Flood", "flood"]


@dataclass
class Flood:
    """What a flood has come to."""

    wrong: Counter[int] = field(default_factory=Counter)
    """Statuses of the wrong logins."""
    seconds: float = 0.0
    others: Counter[int] = field(default_factory=Counter)
    """Statuses of the other user."""
    slowest: float = 0.0
    """Seconds that the other user has waited at most."""
    memory: int = 0
    """Bytes of the auth service at most, of all its replicas the largest."""
    limit: int = 0


def flood(compose: Compose, site: Site, victim: str, other: User, times: int, connections: int) -> Flood:
    """So many wrong logins as `victim` over so many kept connections; `other` has logged in from here before."""
    found, over = Flood(), threading.Event()

    def guess(connection_number: int) -> Counter[int]:
        statuses: Counter[int] = Counter()
        connection = http.client.HTTPConnection(site.host, site.port, timeout=60)
        for number in range(times // connections):
            token = b64encode(f"{victim}:guess-{connection_number}-{number}".encode()).decode()
            connection.request("GET", PAGE, headers={"Authorization": f"Basic {token}"})
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
        connection.close()
        return statuses

    def stand_by() -> None:
        token = b64encode(f"{other.name}:{other.password}".encode()).decode()
        while not over.wait(0.1):
            began = time.monotonic()
            connection = http.client.HTTPConnection(site.host, site.port, timeout=60)
            connection.request("GET", PAGE, headers={"Authorization": f"Basic {token}"})
            found.others[connection.getresponse().status] += 1
            connection.close()
            found.slowest = max(found.slowest, time.monotonic() - began)

    def weigh() -> None:
        while not over.wait(0.2):
            for container in compose.containers("authsvc"):
                stats: Any = container.stats(stream=False)
                memory = stats["memory_stats"]
                found.memory, found.limit = max(found.memory, memory["usage"]), memory["limit"]

    beside = [threading.Thread(target=target) for target in (stand_by, weigh)]
    for thread in beside:
        thread.start()
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(connections) as pool:
            for statuses in pool.map(guess, range(connections)):
                found.wrong.update(statuses)
    finally:
        found.seconds = time.monotonic() - began
        over.set()
        for thread in beside:
            thread.join()
    return found
