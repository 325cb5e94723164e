"""The deployment without containers: `portico run --in-process` as a child of the test run."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .tree import ROOT

__all__ = ["BIN", "OneProcess"]

BIN = Path(sys.executable).parent
"""Where the programs of this environment lie."""


class OneProcess:
    """A started program with its log in a file.

    It is the leader of a process group of its own, so that a Ctrl-C can be given to it as a terminal does.
    """

    def __init__(
        self, command: Sequence[str | Path], port: int, log: Path, more: Mapping[str, str | Path] | None = None
    ) -> None:
        """`port` is the one that the command listens on; the class does no more with it than remember it.

        `more` is added to the environment.
        """
        self.port = port
        self._log = log
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **(more or {})}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, env=environment,
            )  # fmt: skip

    @classmethod
    def portico(cls, port: int, folder: Path, configuration: Path = ROOT / "router/portico.toml") -> "OneProcess":
        """All services in one process, with state and log under `folder`."""
        portico = BIN / "portico"
        listen, state = f"127.0.0.1:{port}", folder / "state"
        command: list[str | Path] = [portico, "run", "--in-process", "--listen", listen, "--state", state, configuration]
        return cls(command, port, folder / f"log-{port}")

    @classmethod
    def router(cls, port: int, folder: Path, configuration: Path) -> "OneProcess":
        """The router alone, as in its container."""
        return cls([BIN / "portico", "run", configuration], port, folder / f"log-{port}")

    @property
    def log(self) -> str:
        """What it has written so far, both streams."""
        return self._log.read_text(errors="replace")

    def interrupt(self) -> None:
        """Ctrl-C in the terminal: SIGINT for the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, seconds: float = 15.0) -> int:
        """Its exit status; a signal that ended it counts negative."""
        return self.process.wait(seconds)

    def stop(self) -> None:
        """End it whatever it takes."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(5)
