"""A crowd of clients, each a step at a time, and reloads between any two steps."""

import random
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .client import Client
from .host import Host, Wrong
from .rules import HOSTS, PREFIXES, REDIRECT, draw
from .server import Server, bulk

__all__ = ["Outcome", "run"]

LISTENERS = ("port", "port", "port", "proxied", "proxied", "secure")
CLIENTS = 24
SOCKETS = 5
"""Of a router without clients: three listeners, the operators' port, and the link to the handoff service."""
BULK = 4 << 20


@dataclass
class Outcome:
    """What a run has shown."""

    did: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.did.items()))
        return "\n".join((counts, *self.failures[:20]))


class Journeys:
    """All clients of a run."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance, self.outcome = random.Random(seed), Outcome()
        self.servers = [Server(name) for name in ("one", "two")]
        self.names = {server.port: server.name for server in self.servers}
        self.rules = draw(self.chance, list(self.names))
        self.host = Host(folder, self.rules)
        self.clients: list[Client] = []
        self.gone: list[Client] = []
        self._number = 0

    # -- steps

    def step(self) -> None:
        """Something happens to somebody."""
        chance = self.chance
        if chance.random() < 0.015:
            self._reload()
            self.outcome.did["reload"] += 1
            return
        if chance.random() < 0.01:
            time.sleep(1.5)  # all of them rest
        while len(self.clients) < CLIENTS:
            self._number += 1
            self.clients.append(Client(self.host, self._number, chance.choice(LISTENERS)))
        client = chance.choice(self.clients)
        ways: list[Callable[[Client], None]] = [self.leaves, self.ends_its_side]
        if client.tunnel:
            ways = [*ways, *[self.talks] * 24, *[self.downloads] * 3, self.server_ends, self.server_resets, self.both]
        else:
            ways = [
                *ways,
                *[self.asks] * 24,
                self.asks_in_pieces,
                self.asks_in_pieces,
                self.asks_twice,
                self.asks_bulk,
                self.sends_bulk,
            ]
            if not client.pinned:
                ways += [self.upgrades, self.upgrades, self.reload_within]
        way = chance.choice(ways)
        client.did.append(way.__name__)
        self.outcome.did[way.__name__] += 1
        try:
            way(client)
        except (Wrong, OSError) as wrong:
            time.sleep(0.5)  # the log's lines are written a while after
            told = [line for line in self.host.lines() if (line["client"], line["port"]) == client.key]
            self._fail(client, f"{wrong!r}; {told}")
            client.leave(False)
            client.exact = False
        if client.over:
            self.clients.remove(client)
            self.gone.append(client)

    def _reload(self) -> None:
        self.rules = draw(self.chance, list(self.names))
        self.host.reload(self.rules)

    def _choice(self) -> tuple[str, str]:
        prefix = self.chance.choice(PREFIXES[:4] if self.chance.random() < 0.95 else PREFIXES)
        return prefix + self.chance.choice("xxy"), self.chance.choice((*HOSTS, HOSTS[0]))

    def _expect(self, client: Client, path: str, name: str, more: str = "") -> None:
        if client.pinned:
            client.expect(path, "pin", client.pinned, more)
            return
        service = self.rules.find(path, name, client.tls)
        server = "h" if service in ("h", None, REDIRECT) else self.names[self.rules.services[str(service)][1]]
        if service == "pin":
            client.pinned = server
        client.expect(path, service, server, more)

    def asks(self, client: Client) -> None:
        path, name = self._choice()
        client.sock.sendall(client.wire(path, name))
        self._expect(client, path, name)

    def asks_in_pieces(self, client: Client, reload: bool = False) -> None:
        path, name = self._choice()
        wire = client.wire(path, name)
        at = self.chance.randrange(1, len(wire))
        client.sock.sendall(wire[:at])
        if reload:
            time.sleep(0.02)
            self._reload()
        elif self.chance.random() < 0.5:
            time.sleep(0.01)
        client.sock.sendall(wire[at:])
        self._expect(client, path, name)

    def reload_within(self, client: Client) -> None:
        """The rules that hold when the head is whole are those that count."""
        self.asks_in_pieces(client, reload=True)

    def asks_twice(self, client: Client) -> None:
        asked = [self._choice() for _ in range(self.chance.choice((2, 3)))]
        client.sock.sendall(b"".join(client.wire(path, name) for path, name in asked))
        for path, name in asked:
            if client.over:
                return
            self._expect(client, path, name)

    def asks_bulk(self, client: Client) -> None:
        path, name = f"{self.chance.choice(PREFIXES[:3])}bulk/{self.chance.choice((64_000, BULK))}", HOSTS[0]
        client.sock.sendall(client.wire(path, name))
        if self.chance.random() < 0.3:
            time.sleep(0.05)
        self._expect(client, path, name)

    def sends_bulk(self, client: Client) -> None:
        """Where it is known that there is a route: whoever is refused meanwhile may find a reset."""
        path, name = f"{self.chance.choice(PREFIXES[:3])}up", HOSTS[0]
        if client.pinned or self.rules.find(path, name, client.tls) not in (None, REDIRECT):
            body = bulk(self.chance.choice((160, 64_000, BULK)))
            client.sock.sendall(client.wire(path, name, "POST", f"Content-Length: {len(body)}\r\n") + body)
            self._expect(client, path, name, f" {zlib.crc32(body)}")

    def upgrades(self, client: Client) -> None:
        path, name = self.chance.choice(PREFIXES[:3]) + "talk", self.chance.choice(HOSTS)
        service = self.rules.find(path, name, client.tls)
        if service in (None, REDIRECT):
            return
        client.sock.sendall(client.wire(path, name, more="Connection: upgrade\r\nUpgrade: talk\r\n"))
        client.expect_switch(service, self.names[self.rules.services[service][1]])

    # -- in a tunnel

    def talks(self, client: Client) -> None:
        word = b"%d " % self.chance.randrange(1 << 30) * self.chance.choice((1, 1, 100))
        client.talk(word, word)

    def both(self, client: Client) -> None:
        """Both sides say something at once, and then one goes."""
        client.sock.sendall(b"big!")
        client.sock.sendall(b"more")
        client.leave(True)
        client.exact = False

    def downloads(self, client: Client) -> None:
        client.talk(b"big!", bulk(BULK))

    def server_ends(self, client: Client) -> None:
        client.sock.sendall(b"end!")
        client.finish()

    def server_resets(self, client: Client) -> None:
        client.sock.sendall(b"cut!")
        client.finish()

    # -- ends

    def leaves(self, client: Client) -> None:
        client.leave(self.chance.random() < 0.5)

    def ends_its_side(self, client: Client) -> None:
        client.end_its_side()

    # -- afterwards

    def compare(self) -> None:
        """Each connection is in the log, with its bytes and who has had it."""
        for client in self.clients:
            client.leave(False)
        self.gone += self.clients
        self.clients = []
        nothing = {"held": 0, "open": 0, "waiting": 0}
        self.host.wait(lambda: self.host.gauges() == nothing, "an end of all")
        self.host.wait(lambda: self.host.sockets() == SOCKETS, "an end of all sockets")
        self.host.stop()  # the log is whole now
        down: Counter[tuple[object, object]] = Counter()
        services: dict[tuple[object, object], list[object]] = {}
        for line in self.host.lines():
            key = line["client"], line["port"]
            sent, service = line["down"], line["service"]
            down[key] += sent if isinstance(sent, int) else 0
            had = services.setdefault(key, [])
            if (not had or had[-1] != service) and not (service is None and line["status"] is None):
                had.append(service)
        for client in self.gone:
            if client.exact and down[client.key] != client.down:
                self._fail(client, f"{client.down} bytes, {down[client.key]} in the log")
            had = services.get(client.key, [])
            if had[: len(client.services)] != client.services:
                self._fail(client, f"had {client.services}, the log {had}")

    def _fail(self, client: Client, what: str) -> None:
        self.outcome.failures.append(f"client {client.key}, {client.did[-6:]}: {what}")


def run(folder: Path, seed: int, seconds: float = 60.0, steps: int = 1 << 30) -> Outcome:
    """So many steps, or for so long; the same `seed` chooses the same."""
    journeys = Journeys(folder, seed)
    outcome, end = journeys.outcome, time.monotonic() + seconds
    try:
        for _ in range(steps):
            if time.monotonic() > end or len(outcome.failures) > 20:
                break
            journeys.step()
        journeys.compare()
    except Wrong as wrong:
        outcome.failures.append(str(wrong))
    finally:
        journeys.host.stop()
        for server in journeys.servers:
            server.close()
    log = journeys.host.router.log
    outcome.failures += [line for line in log.splitlines() if "Traceback" in line or "a callback of the router failed" in line]
    return outcome
