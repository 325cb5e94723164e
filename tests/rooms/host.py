"""A router and replicas of `rooms` as processes of this host: they come and go as one likes."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..support.one_process import BIN, OneProcess
from ..support.site import free_port, wait_for_file, wait_for_listener

__all__ = ["Host", "host"]

CONFIGURATION = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{prefix = "/ws/rooms/", service = "rooms"}}]
services.rooms = {{target = "handoff", folder = "{folder}/run/rooms", balance = "segment", segment = 3}}
limits.queue_timeout = 30.0
"""
MOUNTS = """{"/ws/rooms/*": {"protocol": "websocketsvc.rooms.Member", "options": {"history": 5000, "rate": 1000}}}"""


class Host:
    """One router, and replicas with numbers that are used once."""

    def __init__(self, folder: Path, drain_time: float, backplane: Path | None = None) -> None:
        """The folder's name is short: Unix sockets lie in it. `drain_time` is in seconds, `backplane` a file with a URL."""
        self.folder, self.port = folder, free_port()
        (folder / "run/rooms").mkdir(parents=True)
        file = folder / "portico.toml"
        file.write_text(CONFIGURATION.format(port=self.port, folder=folder))
        self._drain_time, self._number = drain_time, 0
        self._more = {"PORTICO_OPTION_BACKPLANE_FILE": str(backplane)} if backplane else {}
        self.replicas: list[OneProcess] = []
        self._router = OneProcess.router(self.port, folder, file)
        self._all = [self._router]
        wait_for_listener("127.0.0.1", self.port)

    def url(self, room: str) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/rooms/{room}"

    def add(self) -> None:
        """One replica more; on return it has its socket."""
        self._number += 1
        environment: dict[str, str | Path] = {
            "PORTICO_RUN": self.folder / "run",
            "PORTICO_STATE": self.folder / "state",
            "PORTICO_REPLICA": str(self._number),
            "PORTICO_DRAIN_TIME": str(self._drain_time),
            "PORTICO_OPTION_MOUNTS": MOUNTS,
            **self._more,
        }
        replica = OneProcess([BIN / "svckit", "run", "rooms"], 0, self.folder / f"log-rooms-{self._number}", environment)
        self.replicas.append(replica)
        self._all.append(replica)
        wait_for_file(self.folder / f"run/rooms/{self._number}.sock", replica)

    def remove(self) -> OneProcess:
        """Stop the oldest; it drains."""
        replica = self.replicas.pop(0)
        os.kill(replica.process.pid, signal.SIGTERM)
        return replica

    def kill(self) -> None:
        """End the oldest without a word."""
        replica = self.replicas.pop(0)
        replica.process.kill()
        replica.wait()

    @property
    def memory(self) -> int:
        """The largest resident set of a replica, in bytes."""
        found = [Path(f"/proc/{replica.process.pid}/status").read_text() for replica in self.replicas]
        return max(int(text.partition("VmRSS:")[2].split()[0]) * 1024 for text in found)

    @property
    def written(self) -> str:
        """The logs of the replicas that are there."""
        return "".join(replica.log for replica in self.replicas)

    @property
    def all_written(self) -> str:
        """The logs of all that ever were."""
        return "".join(each.log for each in self._all)

    def log(self) -> str:
        """Of all replicas that ever were: what went wrong."""
        wrong = ("critical", "error", "Traceback")
        return "\n".join(line for line in self.all_written.splitlines() if any(word in line for word in wrong))

    def stop(self) -> None:
        for each in self._all:
            each.stop()


@contextlib.contextmanager
def host(drain_time: float = 1.0, backplane: Path | None = None) -> Iterator[Host]:
    """One that is ended, and leaves nothing."""
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        made = Host(Path(folder), drain_time, backplane)
        try:
            made.add()
            yield made
        finally:
            made.stop()
