"""Configurations of the journeys: which service gets a request, and what each of them is."""

import random
from collections.abc import Sequence

__all__ = ["HOSTS", "PREFIXES", "REDIRECT", "Rules", "draw"]

REDIRECT = "a redirect"
HOSTS = ("one.example", "two.example")
PREFIXES = ("/a/", "/b/", "/c/", "/h/", "/pin/")
TCP = """
[services.{name}]
target = "tcp"
address = "127.0.0.1:{server}"
keepalive = "{keepalive}"
tunnel_idle = {idle}
"""
Key = tuple[str, int, str, float]
"""What a tcp service is: two that differ in it are two services, of one name or not."""


class Rules:
    """A configuration, and what it means."""

    def __init__(self, routes: list[tuple[str, str, str]], services: dict[str, Key]) -> None:
        """`routes`: prefix, host (empty: any), service, or `REDIRECT`."""
        self.routes, self.services = routes, services

    def find(self, path: str, host: str, tls: bool) -> str | None:
        """The service of a request, or `REDIRECT`."""
        if path.startswith("/h/"):
            return "h"
        fits = [route for route in self.routes if path.startswith(route[0]) and route[1] in ("", host)]
        fits = [route for route in fits if not (tls and route[2] == REDIRECT)]
        return max(fits, key=lambda route: bool(route[1] or route[2] == REDIRECT))[2] if fits else None

    def text(self) -> str:
        """As the router reads it."""
        routes = [
            f'[[routes]]\nprefix = "{prefix}"\n'
            + (f'service = "{service}"\n' if service != REDIRECT else 'redirect = "https"\n')
            + (f'host = "{host}"\n' if host else "")
            for prefix, host, service in self.routes
        ]
        services = [TCP.format(name=name, server=key[1], keepalive=key[2], idle=key[3]) for name, key in self.services.items()]
        return "".join((*routes, *services))


def draw(chance: random.Random, ports: Sequence[int]) -> Rules:
    """Any rules, with servers at these ports."""
    services = {
        name: (name, chance.choice(ports), "pin" if name == "pin" else "split", chance.choice((60.0, 61.0)))
        for name in ("a", "b", "c", "pin")
    }
    routes = [("/pin/", "", "pin")]
    for prefix in ("/a/", "/b/", "/c/"):
        if chance.random() < 0.85:
            routes.append((prefix, "", chance.choice(("a", "b", "c"))))
        if chance.random() < 0.1:
            routes.append((prefix, "", REDIRECT))
        elif chance.random() < 0.15:
            routes.append((prefix, HOSTS[1], chance.choice(("a", "b", "c"))))
    return Rules(routes, services)
