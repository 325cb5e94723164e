"""A host without containers: a router of several workers, replicas that it hands connections to, and servers reached by TCP.

The two servers have one name, which nothing but a file of our own resolves, so that they are two addresses of one tcp service.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portico.client import fetch

from .one_process import OneProcess
from .raw import RawConnection
from .site import ROOT, free_port, wait_for_answer, wait_for_listener
from .template import template

__all__ = ["Cell", "cell"]

CONFIGURATION = template("static", "autobahn", "app")
CONFIGURATION += """
admin.address = "unix:{folder}/admin"

[services.static]
target = "handoff"
folder = "{folder}/run/static"

[services.autobahn]
target = "handoff"
folder = "{folder}/run/autobahn"

[services.app]
target = "tcp"
address = "servers.test:{server}"

[limits]
drain_time = 5.0
"""
RESOLVES = """
import socket
ask = socket.getaddrinfo

def getaddrinfo(host, port, *rest, **more):
    if host != "servers.test":
        return ask(host, port, *rest, **more)
    return [each for address in ("127.0.0.1", "127.0.0.2") for each in ask(address, port, *rest, **more)]

socket.getaddrinfo = getaddrinfo
"""
SERVER = """
# Threads, keep-alive; on SIGTERM it accepts what has connected, refuses what comes, finishes what it is doing, and ends.
import signal, socket, sys, threading
address, port = sys.argv[1], int(sys.argv[2])
stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())

def serve(sock):
    sock.settimeout(0.05)
    data = b""
    with sock:
        while True:
            try:
                piece = sock.recv(65536)
            except TimeoutError:
                if stopping.is_set() and not data:
                    return
                continue
            except OSError:
                return
            if not piece:
                return
            data += piece
            while b"\\r\\n\\r\\n" in data:
                if data.startswith(b"GET /app/never "):
                    break
                data = data.partition(b"\\r\\n\\r\\n")[2]
                last = b"Connection: close\\r\\n" if stopping.is_set() else b""
                sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\n" + last + b"\\r\\nyes")
                if last:
                    return

listener = socket.create_server((address, port), backlog=512)
threads = []
while True:
    listener.settimeout(0 if stopping.is_set() else 0.05)
    try:
        accepted, _ = listener.accept()
    except (TimeoutError, BlockingIOError):
        if stopping.is_set():
            break
        continue
    threads.append(threading.Thread(target=serve, args=(accepted,)))
    threads[-1].start()
listener.close()
for thread in threads:
    thread.join()
"""
STARTING = "Site starting on '/tmp/portico-"


class Cell:
    """All of it, under one folder."""

    def __init__(self, folder: Path, workers: int) -> None:
        """The folder's name is short: Unix sockets lie in it."""
        self.folder, self.port, self.server_port = folder, free_port(), free_port()
        self.file = folder / "portico.toml"
        self.configuration = CONFIGURATION.format(port=self.port, folder=folder, server=self.server_port)
        self.file.write_text(self.configuration)
        (folder / "sitecustomize.py").write_text(RESOLVES)
        self._programs = Path(sys.executable).parent
        self._started: list[OneProcess] = []
        self.services = [self._service("static", f"PORTICO_OPTION_ROOT={ROOT / 'static/files'}"), self._service("autobahn")]
        self.servers = [self.server(address) for address in ("127.0.0.1", "127.0.0.2")]
        self.router = self.start(
            "router", f"PYTHONPATH={folder}", self._programs / "portico", "run", "--workers", str(workers), self.file
        )

    def start(self, name: str, *command: str | Path) -> OneProcess:
        """A program that ends with the rest; NAME=VALUE may stand before it."""
        log = self.folder / f"log-{name}-{len(self._started)}"
        self._started.append(OneProcess(["env", *command], self.port, log))
        return self._started[-1]

    def _service(self, name: str, *settings: str) -> OneProcess:
        return self.start(name, f"PORTICO_RUN={self.folder}/run", *settings, self._programs / "svckit", "run", name)

    def server(self, address: str) -> OneProcess:
        """One of the servers of `/app/`."""
        server = self.start("server", sys.executable, "-c", SERVER, address, str(self.server_port))
        wait_for_listener(address, self.server_port)
        return server

    def wait(self) -> None:
        """Until all of it answers."""
        wait_for_answer("127.0.0.1", self.port)
        with RawConnection("127.0.0.1", self.port) as connection:
            answer = connection.get("/app/", Connection="close")
            assert answer.body == b"yes", f"{answer}\n{self.log}"
        deadline = time.monotonic() + 20
        while not self.is_ready:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    @property
    def log(self) -> str:
        """Of the router, all processes of it."""
        return self.router.log

    def status(self) -> str:
        """What `portico status` prints."""
        command: list[str | Path] = [self._programs / "portico", "status", "--admin", f"unix:{self.folder}/admin"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    @property
    def is_ready(self) -> bool:
        """Whether both workers are."""
        return self.ask("/readyz")[0] == 200

    def ask(self, page: str, method: str = "GET") -> tuple[int, bytes]:
        """A page of the operators' port."""
        answer: tuple[int, bytes] = fetch(f"unix:{self.folder}/admin", page, method)
        return answer

    def drain(self, service: str, replica: str, command: str = "drain") -> int:
        """POST to the operators' port; the status."""
        body = json.dumps({"service": service, "replica": replica}).encode()
        status: int = fetch(f"unix:{self.folder}/admin", f"/{command}", "POST", body, "application/json")[0]
        return status

    def states(self) -> list[dict[str, str]]:
        """Each worker's own word on its replicas, by name; empty where it does not answer."""
        (folder,) = {Path(line.split("'")[1]).parent for line in self.log.splitlines() if STARTING in line}
        found = [fetch(f"unix:{folder}/{number}", "/status") for number in range(2)]
        statuses = [json.loads(body) if status == 200 else {"services": {}} for status, body in found]
        return [
            {replica["replica"]: replica["state"] for service in status["services"].values() for replica in service["replicas"]}
            for status in statuses
        ]

    def workers(self) -> list[int]:
        """The process ids, from the kernel: children of the parent."""
        children = Path(f"/proc/{self.parent}/task/{self.parent}/children").read_text()
        return [int(pid) for pid in children.split()]

    @property
    def parent(self) -> int:
        """Its process id."""
        return self.router.process.pid

    def reload(self) -> None:
        """SIGHUP."""
        os.kill(self.parent, signal.SIGHUP)

    def stop(self) -> None:
        """End everything."""
        for each in reversed(self._started):
            each.stop()


@contextmanager
def cell(folder: Path, workers: int = 2) -> Iterator[Cell]:
    """One that answers, and is ended."""
    made = Cell(folder, workers)
    try:
        made.wait()
        yield made
    finally:
        made.stop()
