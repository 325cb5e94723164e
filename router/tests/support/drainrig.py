"""A service with two replicas that can be lost and come back, behind a whole application: by handoff, and by TCP."""

import socket
from abc import ABC, abstractmethod
from typing import Any

import pytest
from svckit.handoff.replica import HandoffReplica

from .deployment import Deployment
from .wires import Inbox

HANDOFF = 'target = "handoff"\nfolder = "FOLDER/alpha"'
TCP = 'target = "tcp"\naddress = "server.test:80"'


def config(service: str, **limits: float) -> str:
    lines = "\n".join(f"{name} = {value}" for name, value in limits.items())
    return (
        'listeners = [{address = "127.0.0.1:0"}]\nroutes = [{prefix = "/", service = "alpha"}]\n'
        f"[limits]\ndrain_time = 3.0\n{lines}\n[services.alpha]\n{service}\n"
    )


class Rig(ABC):
    """A service with replicas called one and two."""

    def __init__(self, deployment: Deployment, settings: str) -> None:
        self.deployment, self.reactor, self.settings = deployment, deployment.reactor, settings
        self.application = deployment.application
        self.clients: list[Inbox] = []
        self.names: dict[str, str] = {}

    def client(self) -> Inbox:
        inbox = Inbox(socket.create_connection(self.application.addresses[0], timeout=5))
        self.clients.append(inbox)
        return inbox

    def ask(self, client: Inbox) -> str:
        """Who answers."""
        return self.deployment.ask(client, "/x").partition(" ")[0]

    def who(self, times: int = 6) -> set[str]:
        """Who answers new clients, which are gone afterwards."""
        before, self.clients = self.clients, []
        answered = {self.ask(self.client()) for _ in range(times)}
        for client in self.clients:
            client.sock.close()
        self.clients = before
        self.reactor.settle()
        self.reactor.advance(0.1)  # a replica reports its load in batches
        self.reactor.settle()
        return answered

    def drain(self, called: str, drained: bool = True) -> None:
        self.application.drain("alpha", self.names[called], drained)

    def states(self) -> dict[str, str]:
        services: Any = self.application.status()["services"]
        called = {name: called for called, name in self.names.items()}
        return {called[each["replica"]]: each["state"] for each in services["alpha"]["replicas"]}

    @abstractmethod
    def loses(self, called: str) -> None: ...

    @abstractmethod
    def gets_back(self, called: str) -> None: ...


class HandoffRig(Rig):
    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment, HANDOFF)
        self.replicas: dict[str, HandoffReplica] = {}
        for called in ("one", "two"):
            self.names[called] = called
            self.gets_back(called)

    def loses(self, called: str) -> None:
        done: list[object] = []
        self.replicas[called].stopService().addCallback(done.append)
        for _ in range(10):
            self.reactor.settle()
            self.reactor.advance(1.0)
        assert done

    def gets_back(self, called: str) -> None:
        self.replicas[called] = self.deployment.replica("alpha", called, called)


class TcpRig(Rig):
    def __init__(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(deployment, TCP)
        deployment.application._assembly._resolver._run = lambda call: call()
        self.servers = {called: deployment.server(called) for called in ("one", "two")}
        self.names = {called: "{}:{}".format(*at) for called, at in self.servers.items()}
        self.there, self.real = dict(self.servers), socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.find)

    def find(self, host: str, *args: Any) -> list[Any]:
        if host != "server.test":
            return self.real(host, *args)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", at) for at in self.there.values()]

    def loses(self, called: str) -> None:
        del self.there[called]
        self.reactor.advance(2.0)

    def gets_back(self, called: str) -> None:
        self.there[called] = self.servers[called]
        self.reactor.advance(2.0)
