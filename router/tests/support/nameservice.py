"""A name service whose one name has the addresses that a test gives it."""

import socket
from typing import Any

import pytest


class Names:
    """Stands for the name service: one name, addresses that a test changes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: list[tuple[str, int]] = []
        self.asked = 0
        self.real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.find)

    def find(self, host: str, *args: Any, **kw: Any) -> list[Any]:
        if host != "server.test":
            return self.real(host, *args, **kw)
        self.asked += 1
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host, port in self.addresses]
