"""A keeper, two services, and routers that come and go by the hundred, as processes on this machine.

A router takes most of a second to import what it is made of. Here a nursery has done that already, and each router is a fork
of it: its own process, its own reactor, from `portico run` on.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..support.one_process import OneProcess
from ..support.raw import RawConnection
from ..support.site import ROOT, free_port

__all__ = ["PAGES", "Host", "Router"]

PAGES = {"a": b"page of a\n", "b": b"page of b\n"}
"""Services, each under its own prefix, and what they answer."""
CONFIGURATION = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{prefix = "/a/", service = "a"}}, {{prefix = "/b/", service = "b"}}]

[services.a]
target = "handoff"
folder = "{folder}/run/a"

[services.b]
target = "handoff"
folder = "{folder}/run/b"

[limits]
queue_timeout = 20.0
drain_time = 20.0
"""
SERVICE = """
from svckit.web import GuardedSite
from twisted.web.resource import Resource

class Page(Resource):
    isLeaf = True
    def __init__(self, text):
        super().__init__()
        self.text = text
    def render_GET(self, request):
        return self.text

def make_factory(settings, reactor):
    return GuardedSite(Page(b"page of " + settings.service.encode() + b"\\n"), reactor)
"""
NURSERY = """
import os, signal, sys
import portico.application, portico.hangup, portico.cli, portico.kept, portico.certificates, svckit.signals
import twisted.internet.epollreactor, twisted.web.server
assert "twisted.internet.reactor" not in sys.modules
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    log, *arguments = line.split()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, name in ((0, os.devnull), (1, log), (2, log)):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), number)
        sys.argv[1:] = ["run", *arguments]
        portico.cli.main()
        os._exit(70)
    print(pid, flush=True)
"""
STARTING = 30.0
"""Seconds that a router may take to come, and to go."""


class Router:
    """One of them."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid, self._log = pid, log

    @property
    def lives(self) -> bool:
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    @property
    def listens(self) -> bool:
        return self._log.exists() and "listening on" in self.log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait_until_it_listens(self) -> None:
        self._wait(lambda: self.listens, "it does not listen")

    def wait_until_it_is_gone(self) -> None:
        self._wait(lambda: not self.lives, "it does not end")

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + STARTING
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: {self.log[-2_000:]}")
            time.sleep(0.002)


class Host:
    """All of it, under one folder, whose name is short: Unix sockets lie in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._file, self._keeper = folder / "portico.toml", folder / "keeper"
        self._file.write_text(CONFIGURATION.format(port=self.port, folder=folder))
        (folder / "pages.py").write_text(SERVICE)
        self._started: list[OneProcess] = []
        self._services: dict[str, OneProcess] = {}
        self._routers: list[Router] = []
        self._nursery: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Host":
        self._start("keeper", sys.executable, "-ISs", str(ROOT / "router/src/portico/keeper"), str(self._keeper))
        svckit = str(Path(sys.executable).parent / "svckit")
        for name in PAGES:
            places = f"PORTICO_RUN={self.folder}/run", f"PYTHONPATH={self.folder}"
            self._services[name] = self._start(name, *places, svckit, "run", "--service", name, "pages:make_factory")
        self._nursery = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self.folder
        )
        return self

    def _start(self, name: str, *command: str) -> OneProcess:
        self._started.append(OneProcess(["env", *command], self.port, self.folder / f"log-{name}"))
        return self._started[-1]

    def router(self) -> Router:
        """One more; it does not listen yet."""
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        log = self.folder / f"log-router-{len(self._routers)}"
        self._nursery.stdin.write(f"{log} --keeper {self._keeper} {self._file}\n")
        self._nursery.stdin.flush()
        self._routers.append(Router(int(self._nursery.stdout.readline()), log))
        return self._routers[-1]

    def wait(self) -> None:
        """Until each service answers, by a router that runs."""
        for name, page in PAGES.items():
            with RawConnection("127.0.0.1", self.port, STARTING) as connection:
                answer = connection.get(f"/{name}/x", Connection="close")
            if answer.body != page:
                raise OSError(f"{name} says {answer}")

    def descriptors(self, router: Router) -> dict[str, int]:
        """How many each process has open."""
        services = {name: process.process.pid for name, process in self._services.items()}
        return {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in {"router": router.pid, **services}.items()}

    def __exit__(self, *_: object) -> None:
        for router in self._routers:
            if router.lives:
                router.signal(signal.SIGKILL)
        if self._nursery is not None:
            self._nursery.kill()
            self._nursery.communicate()
        for process in self._started:
            process.stop()
