"""The whole site by handoff: a router, and each service in a process of its own, of which there can be several."""

import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .deployments import toml
from .one_process import BIN, OneProcess
from .site import ROOT, first_password, free_port, wait_for_answer, wait_for_file

__all__ = ["Whole", "whole_site"]


class Whole:
    """What is running; `folder` has a short name, as Unix sockets lie in it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.port, self._stack = folder, free_port(), stack
        self.running: list[OneProcess] = []
        shipped = tomllib.loads((ROOT / "router/portico.toml").read_text())
        self.services = [name for name, table in shipped["services"].items() if table["target"] == "handoff"]
        (folder / "routers").mkdir()
        started = {name: self.start(name) for name in [*self.services, "authsvc"]}
        for name, process in started.items():
            wait_for_file(folder / name / "1.sock", process)
        self.router = self._router(shipped)
        wait_for_answer("127.0.0.1", self.port)
        self.password = first_password(started["authsvc"].log)

    def start(self, service: str, replica: str = "1") -> OneProcess:
        """A replica of a service."""
        (self.folder / service).mkdir(exist_ok=True)
        environment: dict[str, str | Path] = {
            "PORTICO_RUN": self.folder,
            "PORTICO_STATE": self.folder / f"state-{service}",
            "PORTICO_AUTH": self.folder / "authsvc",
            "PORTICO_ROUTERS": self.folder / "routers",
            "PORTICO_REPLICA": replica,
            "PORTICO_DRAIN_TIME": "1",
        }
        if service == "static":
            environment["PORTICO_OPTION_ROOT"] = ROOT / "static/files"
        log = self.folder / f"log-{service}-{replica}"
        running = OneProcess([BIN / "svckit", "run", service], 0, log, environment)
        self._stack.callback(running.stop)
        self.running.append(running)
        return running

    def _router(self, shipped: dict[str, object]) -> OneProcess:
        routes = shipped["routes"]
        assert isinstance(routes, list)
        written = {
            "listeners": [{"address": f"127.0.0.1:{self.port}"}],
            "admin": {"address": f"unix:{self.folder}/admin", "status_folder": str(self.folder / "routers")},
            "routes": [route for route in routes if route["service"] in self.services],
            "services": {name: {"target": "handoff", "folder": str(self.folder / name)} for name in self.services},
        }
        path = self.folder / "portico.toml"
        path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in written.items()))
        running = OneProcess.router(self.port, self.folder, path)
        self._stack.callback(running.stop)
        self.running.append(running)
        return running


@contextmanager
def whole_site(folder: Path) -> Iterator[Whole]:
    """Runs while the block does."""
    with ExitStack() as stack:
        whole = Whole(folder, stack)
        try:
            yield whole
        finally:
            for each in whole.running:  # all at once: each has a drain time
                if each.process.poll() is None:
                    each.process.terminate()
