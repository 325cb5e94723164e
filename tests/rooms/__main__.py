"""`python -m tests.rooms`: rooms at full length, while replicas come and go. Needs no Docker."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from .backplane import two_hosts
from .containers import containers
from .host import host
from .runs import scale_while_talking, stopped_reader


def main() -> int:
    """Exit status 0 if nothing acknowledged was missed, doubled or out of order."""
    parser = argparse.ArgumentParser(prog="python -m tests.rooms", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="between two changes (default: 10)")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rooms", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--backplane", action="store_true", help="two hosts and a Redis that is killed meanwhile, instead")
    parser.add_argument("--compose", action="store_true", help="in containers, instead (a compose project of its own)")
    chosen = parser.parse_args()
    if chosen.compose:
        return in_containers(chosen.rooms, chosen.clients, chosen.seconds)
    if chosen.backplane:
        return over_a_backplane(chosen.rounds, chosen.rooms, chosen.clients, chosen.seconds)
    failed = False
    for number in range(chosen.rounds):
        for kill in (False, True):
            began = time.monotonic()
            with host() as made:
                outcome = asyncio.run(scale_while_talking(made, chosen.rooms, chosen.clients, chosen.seconds, kill))
                wrong = made.log()
            failed = failed or bool(outcome.wrong)
            took = time.monotonic() - began
            print(
                f"round {number + 1}, 1 to 3 to 1{' with a kill' if kill else ''}, {took:.0f} s: {outcome}\n{wrong}", flush=True
            )
    with host() as made:
        reading = asyncio.run(stopped_reader(made, 50_000))
    failed = failed or bool(reading.outcome.wrong)
    print(f"a reader that stops: {reading}", flush=True)
    return int(failed)


def in_containers(rooms: int, clients: int, seconds: float) -> int:
    """The exit status."""
    with containers() as made:
        outcome = asyncio.run(scale_while_talking(made, rooms, clients, seconds))
        print(f"1 to 3 to 1 containers: {outcome}\n{made.log}", flush=True)
    return int(bool(outcome.wrong))


def over_a_backplane(rounds: int, rooms: int, clients: int, seconds: float) -> int:
    """The exit status."""
    failed = False
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="b") as folder:
            outcome, _ = two_hosts(Path(folder), rooms, clients, seconds)
        failed = failed or bool(outcome.wrong)
        print(f"round {number + 1}, two hosts, their Redis and a replica killed, another drained: {outcome}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
