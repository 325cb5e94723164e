"""`python -m bench.router.backend FOLDER PORT PORT PORT [--replicas N]`: the one backend that every contender leads to.

One process with an epoll loop: three services, each at a port of its own, and as N replicas in FOLDER/SERVICE/, so that the
same code answers whether a connection was accepted here, came through a proxy, or was handed over. It prints a line when it
listens, and ends when its standard input does: so it never outlives who started it.
"""

import argparse
import os
import socket
from pathlib import Path

from svckit.descriptors import raise_limit

from .loop import Loop
from .replica import Replica
from .replies import FILE, SERVICES, piece
from .serving import Connection, Service

__all__ = ["large_file", "main"]

MANY = 64
"""Connections accepted at a time."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.router.backend", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("ports", type=int, nargs=len(SERVICES))
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--name", default="r", help="of the replicas, which also have a number (r)")
    chosen = parser.parse_args()
    raise_limit()
    loop = Loop()
    loop.add(0, lambda _: loop.stop())
    big = large_file()
    replicas = []
    for name, port in zip(SERVICES, chosen.ports, strict=True):
        service = Service(name, loop, big)
        _listen(service, port)
        folder = chosen.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        replicas += [Replica(folder, f"{chosen.name}{number}", service) for number in range(chosen.replicas)]
    print("ready", flush=True)
    loop.run()
    for each in replicas:
        each.close()


def large_file() -> int:
    """A descriptor of FILE bytes in memory."""
    descriptor = os.memfd_create("big")
    os.write(descriptor, b"".join(piece(at) for at in range(0, FILE, 4096)))
    return descriptor


def _listen(service: Service, port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)  # as the routers have it: else direct is the slower

    def ready(_: int) -> None:
        for _ in range(MANY):
            try:
                sock, _address = listener.accept()
            except OSError:
                return
            Connection(sock, service)

    service.loop.add(listener.fileno(), ready)


if __name__ == "__main__":
    main()
