"""An application with listeners for TLS and PROXY headers, whose services are reached in one way."""

import socket
import ssl

from .deployment import Deployment, request
from .tlsclient import TlsClient
from .wires import Inbox

LISTENERS = """
listeners = [
  {address = "127.0.0.1:0"},
  {address = "127.0.0.1:0", tls = {certificate = "FOLDER/one.pem"}},
  {address = "127.0.0.1:0", proxy = ["127.0.0.0/8"]},
  {address = "127.0.0.1:0", proxy = ["127.0.0.0/8", "::1"], tls = {certificate = "FOLDER/one.pem"}},
  {address = "127.0.0.1:0", proxy = ["192.0.2.0/24"]},
]
routes = [
  {prefix = "/a/", service = "alpha"}, {prefix = "/b/", service = "beta"},
  {prefix = "/named/", service = "alpha", tls = {sni = "one.example"}},
]
[limits]
drain_time = 3.0
head_deadline = 6.0
proxy_deadline = 2.0
"""
PLAIN, TLS, PROXY, PROXY_TLS, FOREIGN = range(5)
HANDOFF = '[services.{0}]\ntarget = "handoff"\nfolder = "FOLDER/{0}"\n'
TCP = '[services.{0}]\ntarget = "tcp"\naddress = "127.0.0.1:1"\n'
SOURCE, DESTINATION = ("203.0.113.9", 40_000), ("198.51.100.1", 443)


class Ways:
    """An application whose services are reached in one way."""

    def __init__(self, deployment: Deployment, kind: str) -> None:
        self.deployment, self.kind, self.reactor = deployment, kind, deployment.reactor
        for name in ("alpha", "beta"):
            if kind == "handoff":
                deployment.replica(name)
            elif kind == "tcp":
                target = deployment.application._services[name].target
                target.replicas.found([deployment.server(name)])  # type: ignore[attr-defined]

    def socket(self, listener: int) -> socket.socket:
        return socket.create_connection(self.deployment.application.addresses[listener], timeout=5)

    def plain(self, listener: int, data: bytes) -> Inbox:
        inbox = Inbox(self.socket(listener))
        inbox.sock.send(data)
        return inbox

    def tls(self, listener: int, before: bytes = b"", context: ssl.SSLContext | None = None) -> TlsClient:
        sock = self.socket(listener)
        sock.send(before)
        client = TlsClient(sock, context)
        client.until(self.reactor, lambda: client.shaken)
        return client

    def ask(self, client: TlsClient, path: str, body: bytes = b"") -> list[str]:
        """The words that the service answers."""
        client.data.clear()
        client.write(request(path, Content_Length=str(len(body))) + body)
        client.until(self.reactor, lambda: client.ended or client.data.endswith(b"."))
        head, _, said = client.data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), client.data
        return said.decode().split()

    def seen(self, words: list[str]) -> tuple[str, str, bool]:
        """Client's host and port as the service knows them, and whether it knows of TLS."""
        _, _, host, port, _, secure, forwarded, scheme, _ = words
        if self.kind == "tcp":  # it is told by fields
            return forwarded, "", scheme == "https"
        return host, port, secure == "True"

    def expected(self, client: tuple[str, int], secure: bool) -> tuple[str, str, bool]:
        return client[0], "" if self.kind == "tcp" else str(client[1]), secure
