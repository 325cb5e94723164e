"""`python -m bench.websocket`: WebSocket echoes side by side. What an idle connection costs, and a message of 64 bytes.

Portico's are the services' own factories without a router, as after a handoff there is none on the way; the client is this
process. All servers are up all the time. Each round asks each of them, in an order that is drawn by lot, so that what else the
machine does meets all alike. Figures are medians over the rounds; ratios are medians of each round's own ratio to Autobahn
alone. The processor time for each message is the server's, which a busy machine disturbs least.

Node's ws needs `npm ci --prefix tests/node`.
"""

import argparse
import json
import random
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench.namespace import enter

from .measures import Sample, check, idle, talking
from .servers import NODE, Server, contenders

__all__ = ["run"]

MEASURE = "Autobahn alone"
"""What the others are compared with."""


def run(rounds: int = 5, seconds: float = 2.0, talkers: int = 200, idlers: int = 2000) -> dict[str, Any]:
    """By contender: `idle_kib`, the medians of `Sample`, and `ratios` of them to those of Autobahn alone.

    Raises:
        AssertionError: one does not echo as it should.
    """
    memory: dict[str, float] = {}
    with ExitStack() as stack:
        servers = {}
        for name, found in contenders().items():
            servers[name] = server = Server(*found)
            stack.callback(server.stop)
        samples: dict[str, list[Sample]] = {name: [] for name in servers}
        for name, server in servers.items():
            check(server)
            memory[name] = idle(server, idlers)
        for _ in range(rounds):
            for name, server in random.sample(list(servers.items()), len(servers)):
                samples[name].append(talking(server, talkers, seconds))
        for server in servers.values():
            check(server)
    fields = list(asdict(samples[MEASURE][0]))

    def ratio(taken: list[Sample], field: str) -> float:
        pairs = zip(taken, samples[MEASURE], strict=True)
        found: float = median(getattr(one, field) / getattr(other, field) for one, other in pairs)
        return found

    return {
        name: {
            "idle_kib": memory[name],
            **{field: median(getattr(each, field) for each in taken) for field in fields},
            "ratios": {"idle_kib": memory[name] / memory[MEASURE], **{field: ratio(taken, field) for field in fields}},
        }
        for name, taken in samples.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.websocket", description=__doc__)
    parser.add_argument("--idle", type=int, default=2000, help="connections that say nothing (2000)")
    parser.add_argument("--talking", type=int, default=200, help="connections with a message under way on each (200)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each sample (2)")
    parser.add_argument("--rounds", type=int, default=5, help="(5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    chosen = parser.parse_args()
    found = run(chosen.rounds, chosen.seconds, chosen.talking, chosen.idle)
    print("| | KiB idle | CPU of a message | messages/s | p50 | p99 |\n|---|---|---|---|---|---|")
    for name, of in found.items():
        ratios = of["ratios"]
        print(
            f"| {name} | {of['idle_kib']:.1f} ({ratios['idle_kib']:.2f}) | {of['cpu']:.0f} µs ({ratios['cpu']:.2f}) "
            f"| {of['rate']:,.0f} ({ratios['rate']:.2f}) | {of['median']:.1f} ms ({ratios['median']:.2f}) "
            f"| {of['worst']:.1f} ms ({ratios['worst']:.2f}) |"
        )
    if NODE not in found:
        print(f"\n{NODE} is not here (Debian: nodejs, npm; then npm ci --prefix tests/node)")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    enter("bench.websocket")
    main()
