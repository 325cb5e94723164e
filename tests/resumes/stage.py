"""A router, and replicas of uploads that come and go, over one folder."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..support.one_process import OneProcess
from ..support.site import free_port, wait_for_listener

__all__ = ["Stage", "stage"]

CONFIGURATION = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{prefix = "/uploads/", service = "uploads"}}]
admin.address = "unix:{folder}/admin"

[services.uploads]
target = "handoff"
folder = "{folder}/run/uploads"
"""


class Stage:
    """All of it, under one folder, whose name is short: Unix sockets lie in it."""

    def __init__(self, folder: Path, root: Path, drain_time: float = 1.0, **options: object) -> None:
        """`drain_time`: seconds that a replica has to end; what it is at by then is cut, the joining of parts, too."""
        self.folder, self.root, self.port = folder, root, free_port()
        self._drain_time = drain_time
        self._options = [f"PORTICO_OPTION_{name.upper()}={value}" for name, value in options.items()]
        self._programs = Path(sys.executable).parent
        self._count = 0
        self.replicas: list[OneProcess] = []
        (folder / "portico.toml").write_text(CONFIGURATION.format(port=self.port, folder=folder))
        self.router = self._start("router", str(self._programs / "portico"), "run", str(folder / "portico.toml"))
        wait_for_listener("127.0.0.1", self.port)

    def _start(self, name: str, *command: str) -> OneProcess:
        return OneProcess(["env", *command], self.port, self.folder / f"log-{name}")

    def scale(self, replicas: int) -> None:
        """Start what is missing; of what is too much the oldest end, by SIGTERM."""
        while len(self.replicas) < replicas:
            self._count += 1
            settings = [f"PORTICO_RUN={self.folder}/run", f"PORTICO_OPTION_ROOT={self.root}", "PORTICO_OPTION_WRITES=anyone"]
            settings += [f"PORTICO_REPLICA=r{self._count}", f"PORTICO_DRAIN_TIME={self._drain_time:g}", *self._options]
            service = [*settings, str(self._programs / "svckit"), "run", "uploads"]
            self.replicas.append(self._start(f"uploads-{self._count}", *service))
        while len(self.replicas) > replicas:
            self.replicas.pop(0).stop()

    def kill(self) -> None:
        """`kill -9` of the newest replica."""
        self.replicas[-1].process.kill()
        self.replicas[-1].process.wait(15)
        self.replicas.pop()

    def peak(self) -> int:
        """Bytes of memory that the newest replica has had at most (VmHWM)."""
        status = Path(f"/proc/{self.replicas[-1].process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024

    def wait(self, replicas: int) -> None:
        """Until the router has linked so many.

        Raises:
            TimeoutError: it has not.
        """
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.status().count(" ready ") >= replicas:
                return
            time.sleep(0.1)
        raise TimeoutError(self.status() + self.router.log)

    def status(self) -> str:
        """What `portico status` prints."""
        command = [str(self._programs / "portico"), "status", "--admin", f"unix:{self.folder}/admin"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    @property
    def log(self) -> str:
        """Of the replicas that are there."""
        return "".join(replica.log for replica in self.replicas)

    def stop(self) -> None:
        self.scale(0)
        self.router.stop()


@contextmanager
def stage(folder: Path, root: Path, drain_time: float = 1.0, **options: object) -> Iterator[Stage]:
    """One replica that answers; all is ended at the end."""
    (folder / "run").mkdir(parents=True)
    made = Stage(folder, root, drain_time, **options)
    try:
        made.scale(1)
        made.wait(1)
        yield made
    finally:
        made.stop()
