"""A service of this member in a process of its own, on a loopback port."""

import os
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["Served"]

CHILD = """
import signal, socket, sys, threading
from importlib import import_module
from pathlib import Path
from svckit.settings import Settings
from twisted.internet import reactor
from twisted.logger import globalLogBeginner
from svckit.logs import JsonLines
from svckit.transport import address_of, adopt

name, *words = sys.argv[1:]
globalLogBeginner.beginLoggingTo([JsonLines(sys.stderr)], redirectStandardIO=False)
options = dict(word.split("=", 1) for word in words)
adopted = options.pop("adopted", None)
settings = Settings(service=name, replica="1", state=Path("."), options=options)
factory = import_module(f"websocketsvc.{name}_service").make_factory(settings, reactor)
doors, build = [], factory.buildProtocol

def remember(addr):
    doors.append(build(addr))
    return doors[-1]

def expire(*_):
    reactor.callFromThread(lambda: [door.expire() for door in doors if door.transport.connected])

factory.buildProtocol = remember
signal.signal(signal.SIGUSR1, expire)

def adopt_all(listener):
    # As a replica takes connections: accepted elsewhere, their first bytes already read.
    while True:
        sock, peer = listener.accept()
        preface = sock.recv(20)
        sock.setblocking(False)
        nothing = lambda *_: None
        reactor.callFromThread(adopt, sock, factory, address_of(*peer), preface, reactor, nothing, nothing, nothing)

if adopted:
    listener = socket.create_server(("127.0.0.1", 0))
    factory.doStart()
    threading.Thread(target=adopt_all, args=(listener,), daemon=True).start()
    port = listener.getsockname()[1]
else:
    port = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port
print(port, flush=True)
reactor.run()
"""


class Served:
    """A service in a process of its own, on a port of its own."""

    def __init__(self, name: str, log: Path, **options: object) -> None:
        self.log = log
        words = [f"{key}={value}" for key, value in options.items()]
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, name, *words], stdout=subprocess.PIPE, stderr=log.open("wb"), text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline() or self._failed())
        self.path = f"/ws/{name}/echo"
        self.url = f"ws://127.0.0.1:{self.port}{self.path}"

    def _failed(self) -> int:
        raise RuntimeError(self.log.read_text())

    def expire(self) -> None:
        os.kill(self.process.pid, signal.SIGUSR1)

    def memory(self) -> int:
        """Bytes resident."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()
