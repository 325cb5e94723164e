"""The keeper, the router and each service as daemons of their own, each of another user, in one folder."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..support.daemon import GID, Daemon, Ground, ground, low_port, spare_uids, wait_until
from ..support.site import wait_for_answer
from ..support.template import template

__all__ = ["NAMES", "Daemons", "daemons"]

NAMES = ("keeper", "router", "static", "uploads", "autobahn")
CONFIG = template("static", "uploads", "autobahn")
CONFIG += """
services.static = {{target = "handoff", folder = "{folder}/sockets/static"}}
services.uploads = {{target = "handoff", folder = "{folder}/sockets/uploads"}}
services.autobahn = {{target = "handoff", folder = "{folder}/sockets/autobahn"}}
limits = {{queue_timeout = 30.0, drain_time = 5.0}}
"""
DRAIN_TIME = 3.0
"""Seconds that a service gives its connections; the router's `queue_timeout` is longer than that and a start."""


class Daemons:
    """All five."""

    def __init__(self, place: Ground) -> None:
        self.port = low_port()
        self.folder = folder = place.path
        self._place = place
        self.uids = dict(zip(NAMES, spare_uids(len(NAMES)), strict=True))
        file, keeper, router = folder / "portico.toml", folder / "keeper/keeper.sock", self.uids["router"]
        file.write_text(CONFIG.format(port=self.port, folder=folder))
        service = ("--run", folder / "sockets", "--router-uid", router, "--drain-time", DRAIN_TIME)
        self.all = {
            "keeper": self._daemon("keeper", "portico-keeper", "--config", file, "--address", keeper, "--router-uid", router),
            "router": self._daemon("router", "portico-router", "--config", file, "--keeper", keeper),
            "static": self._service(
                "static", *service, "--option", f"root={folder}/files", "--option", f"pages={folder}/pages"
            ),
            "uploads": self._service("uploads", *service, "--option", "writes=anyone"),
            "autobahn": self._service("autobahn", *service),
        }

    def _daemon(self, name: str, *words: object) -> Daemon:
        user = ("--uid", self.uids[name], "--gid", GID, "--rundir", "/")
        return self._place.daemon(*user, *words, folder=self.folder / name)

    def _service(self, name: str, *words: object) -> Daemon:
        state = ("--state", self.folder / f"state/{name}")
        return self._daemon(name, "portico-service", *words, *state, name)

    def start(self) -> None:
        """Make the folders, and start them all."""
        for name, daemon in self.all.items():
            daemon.set_up()
            assert daemon.fails() == [], (name, daemon.findings())
            daemon.started()
        wait_for_answer("127.0.0.1", self.port)

    def stop(self, name: str) -> None:
        """SIGTERM to one, and wait until it and its PID file are gone."""
        daemon = self.all[name]
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: not daemon.runs, lambda: f"{name} does not end:\n{daemon.log[-3000:]}", 60.0)
        assert not daemon.pidfile.exists()

    def restart(self, name: str) -> None:
        """Stop it, and start it again."""
        self.stop(name)
        self.all[name].started()

    def socket_of(self, service: str) -> list[Path]:
        """The service's replicas."""
        return list((self.folder / "sockets" / service).glob("*.sock"))


@contextmanager
def daemons() -> Iterator[Daemons]:
    """All running, and ended."""
    with ground() as place:
        made = Daemons(place)
        made.start()
        yield made
