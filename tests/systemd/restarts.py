"""Each unit restarted under load, and what became of every request, upload and WebSocket."""

import asyncio

from ..daemons.clients import Clients
from .machine import Machine
from .page import commands
from .units import UNITS, first_password

__all__ = ["restarted"]

ROUNDS, PAUSE = 2, 2.0
"""Of all units, and seconds between two restarts."""
ALL = (*UNITS, "portico-authsvc-too.service")
OWN = "portico-autobahn.service"
"""Closes its WebSockets with 1001, and nobody else does."""
TOGETHER = 900.0


def restarted(machine: Machine) -> str:
    """Nothing is lost but what HTTP lets be lost."""
    machine.says(commands("systemd")[1])  # a second authsvc
    clients = Clients(80, 12, 3, 10, host=machine.address, login=f"admin:{first_password(machine)}")
    closed = asyncio.run(_under_restarts(machine, clients))
    lost = clients.problems + clients.lost()
    assert not lost, "\n".join(lost[:20])
    assert clients.counts["uploads"] and clients.counts["echoes"] and clients.load.counts["right"]
    assert set(closed) <= {OWN}, closed
    counts = f"requests {dict(clients.load.counts)}, of which may be lost {dict(clients.allowed())}; {dict(clients.counts)}"
    return f"{ROUNDS * len(ALL)} restarts; {counts}"


async def _under_restarts(machine: Machine, clients: Clients) -> dict[str, int]:
    """How many WebSockets were closed by the restart of each unit."""
    await clients.put_page()
    running = asyncio.create_task(clients.run())
    closed: dict[str, int] = {}
    try:
        async with asyncio.timeout(TOGETHER):
            await asyncio.sleep(PAUSE)
            for unit in ALL * ROUNDS:
                before = clients.counts["WebSockets closed with 1001"]
                await asyncio.to_thread(machine.says, f"systemctl restart {unit}")
                await asyncio.sleep(PAUSE)
                if count := clients.counts["WebSockets closed with 1001"] - before:
                    closed[unit] = closed.get(unit, 0) + count
    finally:
        clients.end()
        await running
    return closed
