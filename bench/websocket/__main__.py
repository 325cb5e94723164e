"""WebSocket echoes side by side: `python bench/websocket`. What an idle connection costs, and a message of 64 bytes.

Each server is one process and listens on a port of its own; the client is this process. Portico's are the services' own
factories without a router, as after a handoff there is none on the way. CPU per message is what the server's process took, and
says more than the rate where a machine has other things to do. Node's ws needs `npm ci --prefix tests/node`.
"""

import argparse
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY, TEXT, SIZE = b"\x37\xfa\x21\x3d", 0x81, 64
PAYLOAD = (b"abcdefghijklmnop" * 4)[:SIZE]
FRAME = bytes((TEXT, 0x80 | SIZE)) + KEY + bytes(byte ^ KEY[at & 3] for at, byte in enumerate(PAYLOAD))
ECHO = bytes((TEXT, SIZE)) + PAYLOAD

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
NODE = """
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
        found["Node ws"] = ([node, "-e", NODE], "/")
    return found


def idle(server: Server, count: int) -> float:
    """KiB of the server's memory for each of so many connections that say nothing."""
    warm = [server.connect() for _ in range(50)]
    time.sleep(0.5)
    before = server.memory
    held = [server.connect() for _ in range(count)]
    time.sleep(1)
    used = (server.memory - before) / 1024 / count
    for sock in (*warm, *held):
        sock.close()
    return used


def talking(server: Server, count: int, seconds: float) -> tuple[float, float, float, float]:
    """Messages a second, CPU microseconds of the server for each, and the round trip's median and 99th percentile in ms."""
    poller, sent = select.epoll(), {}
    for sock in (server.connect() for _ in range(count)):
        sock.setblocking(False)
        poller.register(sock.fileno(), select.EPOLLIN)
        sent[sock.fileno()] = (sock, 0.0)
    took: list[float] = []
    parts: dict[int, bytes] = {}
    clock = time.perf_counter
    for number, (sock, _) in list(sent.items()):
        sent[number] = (sock, clock())
        sock.send(FRAME)
    end, begin = clock() + 0.5 + seconds, clock() + 0.5
    cpu = 0.0
    while (now := clock()) < end:
        if cpu == 0.0 and now >= begin:
            took.clear()
            cpu, began = server.cpu, now
        for number, _ in poller.poll(1):
            sock, at = sent[number]
            data = parts.pop(number, b"") + sock.recv(4096)
            if len(data) < len(ECHO):
                parts[number] = data
                continue
            assert data == ECHO, data
            now = clock()
            took.append(now - at)
            sent[number] = (sock, now)
            sock.send(FRAME)
    cpu, passed = server.cpu - cpu, clock() - began
    for sock, _ in sent.values():
        sock.close()
    took.sort()
    return len(took) / passed, cpu / len(took) * 1e6, took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python bench/websocket", description=__doc__)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--talking", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3, help="the one with the least CPU is shown")
    chosen = parser.parse_args()
    print("| | KiB idle | messages/s | CPU µs each | p50 ms | p99 ms |\n|---|---|---|---|---|---|")
    best: dict[str, tuple[float, ...]] = {}
    memory: dict[str, float] = {}
    for _ in range(chosen.rounds):  # in turns, so that what else the machine does hits all alike
        for name, (command, path) in contenders().items():
            server = Server(command, path)
            try:
                found = talking(server, chosen.talking, chosen.seconds)
                if name not in best or found[1] < best[name][1]:
                    best[name] = found
                if name not in memory:
                    memory[name] = idle(server, chosen.idle)
            finally:
                server.stop()
    for name, (rate, cpu, median, worst) in best.items():
        print(f"| {name} | {memory[name]:.1f} | {rate:,.0f} | {cpu:.0f} | {median:.1f} | {worst:.1f} |")


if __name__ == "__main__":
    main()
