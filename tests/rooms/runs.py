"""50 members of 10 rooms talk while replicas come, go and die: nobody misses, doubles or misorders what was acknowledged."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from .client import Member
from .host import Host

__all__ = ["Outcome", "Reading", "heard_out", "judged", "scale_while_talking", "stopped_reader", "until"]

SETTLE_TIME = 60.0


@dataclass
class Outcome:
    """What was seen."""

    wrong: list[str] = field(default_factory=list)
    acknowledged: int = 0
    heard: int = 0
    connections: int = 0
    codes: dict[int, int] = field(default_factory=dict)
    refused: int = 0

    def __str__(self) -> str:
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(self.codes.items()))
        return (
            f"{self.acknowledged} messages acknowledged, {self.heard} heard, {self.connections} connections, "
            f"{self.refused} answers to say it again later, "
            f"ended with {codes or 'nothing'}\n" + ("\n".join(self.wrong[:20]) or "nothing missed, doubled or out of order")
        )


class Leaving(Protocol):
    """A replica that ends."""

    def wait(self, seconds: float) -> int: ...

    @property
    def log(self) -> str: ...


class Replicas(Protocol):
    """`Host`, or the same in containers."""

    def url(self, room: str) -> str: ...

    def add(self) -> None: ...

    def remove(self) -> Leaving: ...


async def scale_while_talking(host: Replicas, rooms: int, clients: int, seconds: float, kill: bool = False) -> Outcome:
    """1 replica, then 3, then 1, each for `seconds`; with `kill` one dies without a word meanwhile."""
    speak = asyncio.Event()
    members = [Member(host.url(f"room-{number % rooms}"), f"client-{number}", speak) for number in range(clients)]
    tasks = [asyncio.create_task(member.live()) for member in members]
    try:
        await until(lambda: all(member.connections for member in members), "all are in")
        speak.set()
        await asyncio.sleep(seconds)
        for _ in range(2):
            await asyncio.to_thread(host.add)
        await asyncio.sleep(seconds / 2)
        late = [Member(host.url(f"room-{number}"), f"late-{number}", speak) for number in range(rooms)]
        members += late  # the first of them to come where a room is to be makes it move
        tasks += [asyncio.create_task(member.live()) for member in late]
        await until(lambda: all(member.connections for member in late), "the late ones are in")
        await asyncio.sleep(seconds / 2)
        if kill:
            assert isinstance(host, Host)
            await asyncio.to_thread(host.add)
            await asyncio.to_thread(host.kill)
            await asyncio.sleep(seconds)
        leaving = [host.remove() for _ in range(2)]
        for replica in leaving:
            assert await asyncio.to_thread(replica.wait, 30) == 0, replica.log
        await asyncio.sleep(seconds)
        await heard_out(members, speak)
    finally:
        await cancelled(tasks)
    return judged(members)


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    """All have ended, however."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def heard_out(members: list[Member], speak: asyncio.Event) -> None:
    """Nobody says more, and all that was said is acknowledged and heard."""
    speak.clear()
    await until(lambda: all(member.settled for member in members), "all is acknowledged")
    await until(lambda: all(even(room) for room in by_room(members).values()), "all have heard all")


def by_room(members: list[Member]) -> dict[str, list[Member]]:
    rooms: dict[str, list[Member]] = {}
    for member in members:
        rooms.setdefault(member.url.rpartition("/")[2], []).append(member)
    return rooms


def even(members: list[Member]) -> bool:
    last = max(max(member.acknowledged, default=0) for member in members)
    return all(member.last >= last for member in members)


async def until(condition: Callable[[], bool], what: str, seconds: float = SETTLE_TIME) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.05)


def judged(members: list[Member]) -> Outcome:
    outcome = Outcome()
    for room in by_room(members).values():
        first = room[0].heard
        for member in room:
            outcome.wrong += member.problems
            outcome.acknowledged += len(member.acknowledged)
            outcome.heard += len(member.heard)
            outcome.connections += member.connections
            outcome.refused += member.refused
            for code, count in member.codes.items():
                outcome.codes[code] = outcome.codes.get(code, 0) + count
            heard = dict(member.heard)
            texts = [text for _, text in member.heard]
            if len(set(texts)) != len(texts):
                outcome.wrong.append(f"{member.name} has heard something twice")
            if [seq for seq, _ in member.heard] != list(range(1, len(member.heard) + 1)):
                outcome.wrong.append(f"{member.name} has not heard all in order")
            for speaker in room:
                lost = [text for seq, text in speaker.acknowledged.items() if heard.get(seq) != text]
                outcome.wrong += [f"{member.name} has never heard: {text}" for text in lost]
            if member.heard[: len(first)] != first[: len(member.heard)]:
                outcome.wrong.append(f"{member.name} has heard another order than {room[0].name}")
    return outcome


@dataclass
class Reading:
    """What a reader that stopped has cost."""

    outcome: Outcome
    memory: int
    """Bytes by which the replica has grown."""
    took: list[float]
    """Seconds of each acknowledgement of the others, in order of size."""

    def __str__(self) -> str:
        median, worst = (self.took[int(len(self.took) * part)] * 1000 for part in (0.5, 0.99))
        grown = f"the replica has grown by {self.memory / 2**20:.1f} MiB"
        return f"{self.outcome}\n{grown}; acknowledged after {median:.1f} ms, 99 of 100 within {worst:.1f} ms"


async def stopped_reader(host: Host, padding: int, seconds: float = 60.0) -> Reading:
    """Five members talk in messages of `padding` bytes, a sixth joins and reads no more, until it is closed for that."""
    speak = asyncio.Event()
    members = [Member(host.url("busy"), f"client-{number}", speak, padding) for number in range(5)]
    tasks = [asyncio.create_task(member.live()) for member in members]
    try:
        await until(lambda: all(member.connections for member in members), "all are in")
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await asyncio.to_thread(reader.connect, ("127.0.0.1", host.port))
            reader.sendall(_JOIN)
            before = host.memory
            speak.set()
            await until(lambda: '"code":1008,"by":"service"' in host.written, "the reader is closed", seconds)
            after = host.memory
        speak.clear()
        await until(lambda: all(member.settled for member in members), "all is acknowledged")
        await until(lambda: even(members), "all have heard all")
    finally:
        await cancelled(tasks)
    return Reading(judged(members), after - before, sorted(took for member in members for took in member.took))


_JOIN = (
    b"GET /ws/rooms/busy HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + b'\x81\x8f\0\0\0\0{"type":"join"}'
)
