"""The contenders of `bench.websocket`: an echo each, one process on a port of its own."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.tree import ROOT

__all__ = ["NODE", "Server", "contenders"]

PORTICO = """
import sys
from importlib import import_module
from pathlib import Path
from svckit.descriptors import raise_limit
from svckit.settings import Settings
from twisted.internet import reactor
raise_limit()
settings = Settings(service=sys.argv[1], replica="1", state=Path("."), options={"max_connections": 100000, "ping_interval": 0})
factory = import_module(f"websocketsvc.{sys.argv[1]}_service").make_factory(settings, reactor)
print(reactor.listenTCP(0, factory, backlog=4096, interface="127.0.0.1").getHost().port, flush=True)
reactor.run()
"""
AUTOBAHN = """
from svckit.descriptors import raise_limit
from twisted.internet import reactor
from autobahn.twisted.websocket import WebSocketServerFactory
from websocketsvc.echo_autobahn import AutobahnEcho
raise_limit()
factory = WebSocketServerFactory()
factory.protocol = AutobahnEcho
print(reactor.listenTCP(0, factory, backlog=4096, interface="127.0.0.1").getHost().port, flush=True)
reactor.run()
"""
WEBSOCKETS = """
import asyncio
from svckit.descriptors import raise_limit
from websockets.asyncio.server import serve
raise_limit()
async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)
async def main():
    async with serve(echo, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
"""
NODE = "Node ws"
_NODE = """
const { WebSocketServer } = require("ws");
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(server.address().port));
server.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
"""


class Server:
    """One contender."""

    def __init__(self, command: list[str], path: str) -> None:
        self.path = path
        self.process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT / "tests/node"
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = sock.recv(4096)
            assert piece, head
            head += piece
        assert head.startswith(b"HTTP/1.1 101"), head
        return sock

    @property
    def cpu(self) -> float:
        """Seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self) -> int:
        """Bytes resident."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def contenders() -> dict[str, tuple[list[str], str]]:
    """Command and path by name."""
    python = [sys.executable, "-c"]
    found = {
        "portico autobahn": ([*python, PORTICO, "autobahn"], "/ws/autobahn/echo"),
        "Autobahn alone": ([*python, AUTOBAHN], "/"),
        "portico txws": ([*python, PORTICO, "txws"], "/ws/txws/echo"),
        "websockets": ([*python, WEBSOCKETS], "/"),
    }
    node = shutil.which("node")
    if node is not None and (ROOT / "tests/node/node_modules/ws").is_dir():
        found[NODE] = ([node, "-e", _NODE], "/")
    return found
