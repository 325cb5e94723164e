"""A configuration in which services come, change and go, and the router that has it."""

import socket

from .deployment import Deployment, request
from .wires import Inbox


def config(*routes: str, services: str = "", listeners: str = '{address = "127.0.0.1:0"}', limits: str = "") -> str:
    """Routes are written `/prefix/ service`."""
    lines = ", ".join('{{prefix = "{}", service = "{}"}}'.format(*route.split()) for route in routes)
    return f"listeners = [{listeners}]\nroutes = [{lines}]\n[limits]\ndrain_time = 3.0\n{limits}\n[services]\n{services}\n"


class Ways:
    """Services reached in one way, made and changed."""

    def __init__(self, deployment: Deployment, kind: str) -> None:
        self.deployment, self.kind, self.reactor = deployment, kind, deployment.reactor
        self.clients: list[socket.socket] = []

    def service(self, name: str, called: str | None = None) -> str:
        """The configuration of a service that says that it is `called` so; it runs."""
        called = called or name
        if self.kind == "tcp":
            return '[services.{}]\ntarget = "tcp"\naddress = "{}:{}"\n'.format(name, *self.deployment.server(called))
        text = f'[services.{name}]\ntarget = "handoff"\noptions = {{called = "{called}"}}\nfolder = "FOLDER/{called}"\n'
        if self.kind == "handoff":
            self.start_replica(name, called)
        return text

    def start_replica(self, name: str, called: str) -> None:
        folder, self.deployment.folder = self.deployment.folder, self.deployment.folder / f"of-{called}"
        self.deployment.replica(name, called)
        self.deployment.folder = folder
        (folder / called).symlink_to(folder / f"of-{called}" / name)

    def reload(self, text: str) -> None:
        self.deployment.reload(text)
        self.deployment.look()

    def connect(self, listener: int = 0) -> Inbox:
        sock = socket.create_connection(self.deployment.application.addresses[listener], timeout=5)
        self.clients.append(sock)
        return Inbox(sock)

    def ask(self, client: Inbox, path: str) -> str:
        """Who answers."""
        return self.deployment.ask(client, path).partition(" ")[0]

    def status_of(self, client: Inbox, path: str) -> bytes:
        client.data = b""
        client.sock.send(request(path))
        self.reactor.until(client.has_ended)
        return client.data[9:12]
