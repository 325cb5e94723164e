"""One way of replacing routers, under load, and what came of every request."""

import asyncio
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ..faults.load import KINDS, SLOW_KINDS, Asked, Load, Page
from .host import PAGES, Host, Router

__all__ = ["WAYS", "Outcome", "replace"]

WAYS = ("overlapping", "alone", "killed")
LONGEST_LIFE = 0.3
"""Seconds between two routers, at most; any moment of a request's way is to be hit."""


@dataclass
class Outcome:
    """What a run has shown."""

    way: str
    routers: int = 0
    asked: list[Asked] = field(default_factory=list)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[str]:
        return Counter(asked.result for asked in self.asked)

    @property
    def failures(self) -> list[str]:
        """What must not be."""
        results = ("wrong", "refused") if self.way == "killed" else ("wrong", "refused", "lost")
        found = [
            f"request {asked.number}, {asked.ended - asked.began:.2f} s: {asked.result}, {asked.why}"
            for asked in self.asked
            if asked.result in results
        ]
        return found + [
            f"{name}: {self.before[name]} descriptors, then {count}"
            for name, count in self.after.items()
            if count > self.before[name] + 3
        ]

    def __str__(self) -> str:
        counts = ", ".join(f"{result} {count}" for result, count in sorted(self.counts.items()))
        lines = [
            f"{self.way}: {self.routers} routers, {len(self.asked)} sent, {counts}",
            f"descriptors {self.before}, then {self.after}",
        ]
        kinds = Counter(asked.why.split(":")[0] for asked in self.asked if asked.result != "right")
        return "\n".join([*lines, *([str(kinds)] if kinds else []), *(f"FAILED: {failure}" for failure in self.failures[:20])])


async def replace(folder: Path, way: str, times: int, clients: int, kinds: tuple[str, ...] = (*KINDS, *SLOW_KINDS)) -> Outcome:
    """So many routers, one after the other."""
    outcome = Outcome(way)
    with Host(folder) as host:
        router = host.router()
        await asyncio.to_thread(router.wait_until_it_listens)
        await asyncio.to_thread(host.wait)
        outcome.before = host.descriptors(router)
        pages = [Page(name, f"/{name}/x", text) for name, text in PAGES.items()]
        load = Load("127.0.0.1", host.port, (pages[0], pages[1]), clients, kinds)
        running = asyncio.create_task(load.run())
        try:
            for _ in range(times):
                router = await asyncio.to_thread(_next, host, router, way)
                outcome.routers += 1
                await asyncio.sleep(random.uniform(0, LONGEST_LIFE))
        finally:
            load.end()
            await running
        outcome.asked = load.asked
        await asyncio.sleep(1)
        outcome.after = host.descriptors(router)
    return outcome


def _next(host: Host, last: Router, way: str) -> Router:
    if way == "overlapping":
        fresh = host.router()
        fresh.wait_until_it_listens()
        last.signal(signal.SIGTERM)
        return fresh
    last.signal(signal.SIGTERM if way == "alone" else signal.SIGKILL)
    last.wait_until_it_is_gone()
    fresh = host.router()
    fresh.wait_until_it_listens()
    return fresh
