"""Where a run takes place: a folder, the cores, the backend, and the processes that were started, each ended by its own id."""

import contextlib
import copy
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from svckit.descriptors import raise_limit

from bench import machine
from tests.support.one_process import BIN
from tests.support.site import free_port, wait_for_listener
from tests.support.tree import ROOT

from .replies import SERVICES

__all__ = ["Missing", "Running", "Stage", "Unfit"]

START_TIME = 30.0
"""Seconds."""
END_TIME = 10.0
FEWEST = 4_096
"""Descriptors; with fewer there is not even room for pipes and for the connections of the quick form."""
MOST = 10_805
"""Connections through a proxy: 10,000 that wait, those that come before them or meanwhile, a few to spare."""
ASIDE = 1_400
"""Descriptors of a proxy for all else: pipes, most of them."""
PATH = f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin"


class Missing(LookupError):
    """A contender cannot be here; the text says what lacks."""


class Unfit(RuntimeError):
    """Nothing can be measured here; the text says why."""


@dataclass
class Running:
    """A contender that runs."""

    name: str
    process: subprocess.Popen[bytes] | None
    """None: there is no router on the way."""
    ports: Mapping[str, int]
    """By service; some have `static-bulk` and `uploads-bulk` too, tuned for large transfers."""
    prefixes: bool = True
    """Whether it routes by the prefix of each request; else of the first one, or by the port."""
    backend: "subprocess.Popen[bytes] | None" = None
    """What it leads to, where that is not the stage's."""

    @property
    def pid(self) -> int:
        return 0 if self.process is None else self.process.pid

    @property
    def ended(self) -> str:
        """How its process has ended; empty as long as it runs."""
        code = None if self.process is None else self.process.poll()
        return "" if code is None else f"it has ended with {code}"

    def port(self, service: str) -> int:
        return self.ports.get(service) or self.ports[service.removesuffix("-bulk")]

    def cpu(self) -> float:
        return machine.cpu(self.pid) if self.process else 0.0

    def memory(self) -> int:
        return machine.memory(self.pid) if self.process else 0


def descriptors() -> int:
    """As many as may be had; root may have as many as it takes."""
    wanted = 2 * MOST + ASIDE
    with contextlib.suppress(OSError, ValueError):  # not root's right, or more than the kernel gives to anybody
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    return raise_limit()


class Stage:
    """Ends all that it has started, whatever happens, the last first; a context manager."""

    def __init__(self) -> None:
        """
        Raises:
            Unfit: too few descriptors are allowed.
        """
        self.router_core, self.backend_core, self.load_core = machine.cores()
        self.descriptors = descriptors()
        if self.descriptors < FEWEST:
            raise Unfit(f"it takes {FEWEST:,} descriptors, and {self.descriptors:,} are allowed (ulimit -Hn)")
        self.most = min(MOST, (self.descriptors - ASIDE) // 2)
        """Connections that a proxy can have, at two descriptors each and some for pipes."""
        self._started: list[subprocess.Popen[bytes]] = []
        self._logs: dict[int, Path] = {}

    def __enter__(self) -> "Stage":
        self._temporary = tempfile.TemporaryDirectory(prefix="pb")
        self.folder = Path(self._temporary.name)
        self.folder.chmod(0o755)
        try:
            self.backend_ports = {service: free_port() for service in SERVICES}
            self.run = self.folder / "run"
            self.backend = self.start_backend(self.run, self.backend_ports)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in reversed(self._started):
            self.end(process)
        self._temporary.cleanup()

    def aside(self) -> "Stage":
        """The same stage with a folder of its own, for a contender that is started once more."""
        found = copy.copy(self)
        found.folder = self.folder / f"aside-{time.monotonic_ns()}"
        found.folder.mkdir()
        return found

    def start_backend(self, folder: Path, ports: Mapping[str, int], *options: str) -> subprocess.Popen[bytes]:
        """A backend whose replicas are in `folder`; it listens when this returns."""
        command = [sys.executable, "-m", "bench.router.backend", *options, str(folder), *map(str, ports.values())]
        process = self.start(f"backend-{len(self._started)}", command, self.backend_core)
        for port in ports.values():
            self.wait_for(process, port)
        return process

    def start(self, name: str, command: Sequence[str], core: str, **more: str) -> subprocess.Popen[bytes]:
        """A process on a core, with its log in a file; `more` is added to the environment."""
        pinned = ["taskset", "-c", core, *command] if core and shutil.which("taskset") else list(command)
        path = self.folder / f"log-{name}"
        with path.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                pinned, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, env={**os.environ, "PATH": PATH, **more}
            )
        self._started.append(process)
        self._logs[process.pid] = path
        return process

    def program(self, name: str, package: str) -> str:
        """Where it lies.

        Raises:
            Missing: it is not installed.
        """
        found = shutil.which(name, path=PATH)
        if found is None:
            raise Missing(f"there is no {name} (Debian: {package})")
        return found

    def wait_for(self, process: subprocess.Popen[bytes], port: int) -> None:
        """Until somebody listens there.

        Raises:
            Missing: it has ended, or nobody did in time.
        """
        deadline, listens = time.monotonic() + START_TIME, False
        while not listens and process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                wait_for_listener("127.0.0.1", port, 0.2)
                listens = True
        if process.poll() is not None:
            raise Missing(f"it has ended with {process.returncode}: {self.log(process)}")
        if not listens:
            raise Missing(f"nobody listens on port {port}: {self.log(process)}")

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """The end of what it has said."""
        return " ".join(self._logs[process.pid].read_text(errors="replace")[-300:].split())

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """By SIGTERM, and by SIGKILL if that does not do; its children with it."""
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        below = machine.children(process.pid) if process.poll() is None else []
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(END_TIME)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(END_TIME)
        for pid in below:
            with contextlib.suppress(OSError):
                os.kill(pid, 9)
        if process in self._started:
            self._started.remove(process)
