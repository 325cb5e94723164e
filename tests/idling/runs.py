"""Rounds: a crowd of idle connections, what happens to the router meanwhile, and what is left of it all afterwards."""

import random
import select
import signal
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .ends import KINDS, Idle, Wrong
from .router import PATIENCE, Router
from .server import Server

__all__ = ["WAYS", "Outcome", "run"]

WAYS = ("plain", "changed", "gone", "scarce", "silent", "drain")
"""What happens to the router while they are idle: nothing; a reload with other settings; one without the services; too few
descriptors for all of them; their time is up; it ends."""
SCARCE = 700
"""Descriptors that a router has for a crowd."""


@dataclass
class Outcome:
    """What a run has shown."""

    rounds: int = 0
    did: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.did.items()))
        return "\n".join((f"{self.rounds} rounds, {self.did.total()} connections: {counts}", *self.failures[:20]))


def run(folder: Path, ways: list[str], count: int, seed: int) -> Outcome:
    """One round for each of `ways`, with so many connections; the same `seed` chooses the same."""
    outcome, chance = Outcome(), random.Random(seed)
    with ExitStack() as stack:
        server = Server()
        stack.callback(server.close)
        router = Router(folder, server)
        stack.callback(router.running.stop)
        for way in ways:
            try:
                _round(router, server, way, count, chance, outcome)
            except (Wrong, OSError) as wrong:
                outcome.failures.append(f"round {outcome.rounds}, {way}: {wrong}")
            outcome.rounds += 1
        log = router.running.log
        outcome.failures += [
            line for line in log.splitlines() if "Traceback" in line or "a callback of the router failed" in line
        ]
    return outcome


def _round(router: Router, server: Server, way: str, count: int, chance: random.Random, outcome: Outcome) -> None:
    if way in ("silent", "scarce"):
        if way == "scarce":
            router.limit(SCARCE)
        router.reload(way)
    before = router.gauges
    numbers = range(outcome.rounds * count, (outcome.rounds + 1) * count)
    most = chance.choice(KINDS)  # a crowd of one service is what has its quiet ones laid down
    kinds = [most if number % 4 else chance.choice(KINDS) for number in numbers]
    clients = [Idle(router.port, kind, number, server) for kind, number in zip(kinds, numbers, strict=True)]
    try:
        if way == "scarce":
            _as_they_come(clients, chance)
        else:
            for client in clients:
                if not client.answered():
                    raise Wrong(f"{client.kind} {client.number} was refused")
            _meanwhile(router, way, clients, chance)
    finally:
        for client in clients:
            client.drop()
            outcome.did[f"{client.kind} {client.did}"] += 1
    if way == "drain":
        status = router.running.wait(30)
        if status:
            raise Wrong(f"the router ends with {status}")
    elif way in ("silent", "scarce", "gone", "changed"):
        router.limit(1 << 20)
        router.reload("plain")
    _compare(router, way, clients, before)


def _as_they_come(clients: list[Idle], chance: random.Random) -> None:
    """There is no room for all of them: those that are served end, and make room for others."""
    waiting = {client.sock.fileno(): client for client in clients}
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    while waiting:
        ready = poll.poll(PATIENCE * 1000)
        if not ready:
            raise Wrong(f"{len(waiting)} were never served")
        served = []
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            client = waiting.pop(descriptor)
            if client.answered():
                served.append(client)
        chance.shuffle(served)
        for client in served:
            client.go_on(chance)


def _meanwhile(router: Router, way: str, clients: list[Idle], chance: random.Random) -> None:
    chance.shuffle(clients)
    half = clients[: len(clients) // 2]
    if way in ("changed", "gone"):
        for client in half:
            client.go_on(chance)
        router.reload(way)
        half = clients[len(half) :]
    elif way == "plain":
        half = clients
    for client in half if way != "silent" else ():
        client.go_on(chance)
    if way == "drain":
        router.running.process.send_signal(signal.SIGTERM)
    if way in ("drain", "silent"):
        for client in clients:
            if client.did == "nothing":
                client.was_ended()


def _compare(router: Router, way: str, clients: list[Idle], before: dict[str, int]) -> None:
    """Nothing is left, and everything is in the log."""
    if way != "drain":
        router.wait(lambda: router.gauges == before, f"what was before, {before}")
    router.compare_new_lines(lambda lines: _difference(lines, clients))


def _difference(lines: list[dict[str, object]], clients: list[Idle]) -> str:
    """What is wrong with the access log; nothing if it tells of each client, with its bytes."""
    down: Counter[object] = Counter()
    for line in lines:
        sent = line["down"]
        down[line["port"]] += sent if isinstance(sent, int) else 0
    for client in clients:
        if client.port not in down:
            return f"{client.kind} {client.number}, which {client.did}, is not in the log"
        if client.exact and down[client.port] != client.got:
            return f"{client.kind} {client.number}, {client.did}: {client.got} bytes, {down[client.port]} in the log"
    return ""
