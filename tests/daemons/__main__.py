"""`python -m tests.daemons`: load, while the router's daemon and each service's is restarted again and again. As root."""

import argparse
import asyncio
import sys
import time

from .cell import Daemons, daemons
from .clients import Clients

__all__ = ["under_restarts"]

ORDER = ("router", "static", "router", "uploads", "autobahn")
TOGETHER = 600.0


async def under_restarts(cell: Daemons, clients: Clients, rounds: int, pause: float) -> dict[str, int]:
    """Restart each in turn, so many rounds; returns how many WebSockets were closed by the restart of each."""
    await clients.put_page()
    running = asyncio.create_task(clients.run())
    closed: dict[str, int] = {}
    try:
        async with asyncio.timeout(TOGETHER):
            await asyncio.sleep(pause)
            for name in ORDER * rounds:
                before = clients.counts["WebSockets closed with 1001"]
                await asyncio.to_thread(cell.restart, name)
                await asyncio.sleep(pause)
                closed[name] = closed.get(name, 0) + clients.counts["WebSockets closed with 1001"] - before
    finally:
        clients.end()
        await running
    return closed


def main() -> int:
    """Exit status 0 if nothing was lost but what HTTP lets be lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.daemons", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two restarts")
    parser.add_argument("--clients", type=int, default=24)
    chosen = parser.parse_args()
    with daemons() as cell:
        clients = Clients(cell.port, chosen.clients, 4, 20)
        began = time.monotonic()
        closed = asyncio.run(under_restarts(cell, clients, chosen.rounds, chosen.pause))
        users = {name: cell.all[name].users() for name in cell.all}
    print(f"{time.monotonic() - began:.0f} s, {chosen.rounds * len(ORDER)} restarts; users {users}")
    print(f"requests {dict(clients.load.counts)}, of which may be lost {dict(clients.allowed())}; {dict(clients.counts)}")
    print(f"WebSockets closed with 1001 by the restart of: {closed}")
    problems = clients.problems + clients.lost()
    print("\n".join(problems[:20]) or "nothing lost")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
