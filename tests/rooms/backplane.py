"""Rooms that span two hosts, over a real Redis that is killed while all talk, and replicas that die and drain."""

import asyncio
import os
from pathlib import Path

from ..support.redis_server import RedisServer
from .client import Member
from .host import Host, host
from .runs import Outcome, cancelled, heard_out, judged, until

__all__ = ["span_hosts", "two_hosts"]


def two_hosts(folder: Path, rooms: int, clients: int, seconds: float) -> tuple[Outcome, str]:
    """`span_hosts` with a Redis and hosts of its own; what was seen, and what all of them have written."""
    server = RedisServer(folder / "redis")
    address = folder / "address"
    address.touch(0o600)
    address.write_text(f"{server.url}\n")
    try:
        with host(0.2, address) as one, host(0.2, address) as other:
            outcome = asyncio.run(span_hosts((one, other), server, rooms, clients, seconds))
            return outcome, one.all_written + other.all_written
    finally:
        server.stop()


async def span_hosts(hosts: tuple[Host, Host], server: RedisServer, rooms: int, clients: int, seconds: float) -> Outcome:
    """Members of each room on both; the Redis is killed and started again, one replica is killed, one drains."""
    speak = asyncio.Event()
    members = [
        Member(hosts[number % 2].url(f"room-{number // 2 % rooms}"), f"client-{number}", speak) for number in range(clients)
    ]
    tasks = [asyncio.create_task(member.live()) for member in members]
    try:
        await until(lambda: all(member.last or member.connections for member in members), "all are in")
        speak.set()
        await asyncio.sleep(seconds)
        _nobody_sees_the_password(server)
        await asyncio.to_thread(server.kill)
        await until(lambda: sum(member.refused for member in members) >= clients // 2, "they are told that it is away")
        await asyncio.to_thread(server.start)
        before = sum(len(member.acknowledged) for member in members)
        await until(lambda: sum(len(member.acknowledged) for member in members) > before, "it is taken up again")
        await asyncio.sleep(seconds)
        for each in hosts:
            await asyncio.to_thread(each.add)
        await asyncio.to_thread(hosts[0].kill)
        leaving = hosts[1].remove()
        assert await asyncio.to_thread(leaving.wait, 60) == 0, leaving.log
        await asyncio.sleep(seconds)
        await heard_out(members, speak)
    finally:
        await cancelled(tasks)
    return judged(members)


def _nobody_sees_the_password(server: RedisServer) -> None:
    """In a list of processes."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            assert server.quoted.encode() not in line and server.password.encode() not in line, line
