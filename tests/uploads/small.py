"""Small files from many clients at once: what is answered is there, and what is there is whole.

Whatever ends the replica, or the room for them.
"""

import http.client
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from uploadsvc.store import Store

from ..resumes.stage import Stage

__all__ = ["SHARED", "Client", "content", "full_of_small", "kill_among_small"]

CLIENTS = 8
NAMES = 5
"""Of each client; they are replaced in turn."""
SHARED = "shared"
"""A name that all of them put."""


def content(name: str, number: int) -> bytes:
    """The bytes of a file, which say what they are: 100 to 8,000."""
    word = f"{name} {number} ".encode()
    return (word * 8000)[: 100 + number * 997 % 7900]


@dataclass
class Client:
    """Puts files on one kept connection until it breaks, or it is told to stop."""

    port: int
    name: str
    number: int = 0
    answered: dict[str, int] = field(default_factory=dict)
    """The newest number of each name that got 200 or 201."""
    under_way: tuple[str, int] = "", 0
    refused: list[str] = field(default_factory=list)
    """The names that got 507."""
    wrong: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event, names: Iterator[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with suppress(OSError, http.client.HTTPException):
            while not stop.is_set():
                self.number += 1
                name = next(names)
                self.under_way = name, self.number
                if self._put(connection, name) == 507:
                    self.refused.append(name)
                else:
                    self.answered[name] = self.number
                self.under_way = "", 0
        connection.close()

    def _put(self, connection: http.client.HTTPConnection, name: str) -> int:
        connection.request("PUT", f"/uploads/{name}", content(self.name, self.number))
        response = connection.getresponse()
        response.read()
        if response.status not in (200, 201, 507):
            self.wrong.append(f"{name}: {response.status}")
        return response.status


def _in_turn(client: str) -> Iterator[str]:
    while True:
        yield from (f"{client}-{at}" for at in range(NAMES))
        yield SHARED


def _ever_new(client: str) -> Iterator[str]:
    return (f"{client}-{at}" for at in count())


def _run(stage: Stage, numbers: dict[str, int], seconds: float, kill: bool) -> list[Client]:
    clients = [Client(stage.port, f"c{at}", numbers.get(f"c{at}", 0)) for at in range(CLIENTS)]
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop, _in_turn(each.name))) for each in clients]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    if kill:
        stage.kill()
    stop.set()
    for thread in threads:
        thread.join(60)
    return clients


def kill_among_small(stage: Stage, rounds: int, seed: int = 6) -> tuple[int, list[str]]:
    """Kill the replica (`kill -9`) `rounds` times while clients put small files: how many were answered, and what was wrong."""
    chance, answered = random.Random(seed), 0
    numbers: dict[str, int] = {}
    wrong: list[str] = []
    for number in range(rounds):
        clients = _run(stage, numbers, chance.uniform(0.02, 0.3), kill=True)
        for each in clients:
            answered += each.number - numbers.get(each.name, 0)
            numbers[each.name] = each.number
            wrong += each.wrong
            wrong += [f"kill {number}: {text}" for text in _judge(stage.root, each)]
        if not _whole(stage.root / SHARED):
            wrong.append(f"kill {number}: the shared name has a piece")
        stage.scale(1)
        stage.wait(1)
    Store(stage.root).sweep(time.time() + 1000)
    wrong += [f"left over: {path}" for path in stage.root.glob(".parts/*")]
    return answered, wrong


def _judge(root: Path, client: Client) -> Iterator[str]:
    """What is not as it should be: each name has what was answered, or what was under way then."""
    for name, number in client.answered.items():
        if name == SHARED:
            continue
        expected = [content(client.name, number)]
        if client.under_way[0] == name:
            expected.append(content(*(client.name, client.under_way[1])))
        with suppress(FileNotFoundError):
            if (root / name).read_bytes() in expected:
                continue
        yield f"{name}: not what was answered"
    name, number = client.under_way
    if name and name != SHARED and (root / name).exists() and not _whole(root / name):
        yield f"{name}: a piece"


def _whole(path: Path) -> bool:
    if not path.exists():
        return True
    data = path.read_bytes()
    name, number, _ = data.split(b" ", 2)
    return data == content(name.decode(), int(number))


def full_of_small(stage: Stage, clients: int = CLIENTS) -> list[str]:
    """Put small files until there is no room: those that got 507 are not there, all others are. What was wrong."""
    stop = threading.Event()
    made = [Client(stage.port, f"c{at}") for at in range(clients)]
    threads = [threading.Thread(target=each.run, args=(stop, _ever_new(each.name))) for each in made]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(len(each.refused) < 3 and not each.wrong for each in made):
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join(60)
    wrong = [text for each in made for text in (*each.wrong, *_judge(stage.root, each))]
    wrong += [f"{each.name}: was never refused" for each in made if not each.refused]
    refused = {name for each in made for name in each.refused}
    found = {path.name for path in stage.root.iterdir() if path.is_file()}
    answered = {name for each in made for name in each.answered}
    if found != answered:
        wrong.append(f"{len(found - answered)} there and not answered, {len(answered - found)} answered and not there")
    wrong += [f"{name}: refused, and there" for name in found & refused]
    wrong += [f"left over: {path}" for path in stage.root.glob(".parts/*")]
    for name in found:
        (stage.root / name).unlink()
    again = Client(stage.port, "again")
    connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=30)
    if again._put(connection, "again") != 201:
        wrong.append("not taken when there was space again")
    connection.close()
    (stage.root / "again").unlink()
    return wrong
