"""The router of the journeys, with limits so low that everything rests soon, its services, and what it says of itself."""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from portico.client import fetch

from tests.support.certificate import write_certificate
from tests.support.one_process import OneProcess
from tests.support.site import free_port, json_lines, wait_for_listener

from .rules import Rules

__all__ = ["Host", "Wrong"]


PATIENCE = 30.0
ROUTER = """
import portico.targets.crowd as crowd, portico.flow as flow
crowd.FEW, crowd.QUIET, flow.FAST = 1, 0.3, 1 << 18
from portico.cli import main
main()
"""
BASE = """
[admin]
address = "127.0.0.1:{admin}"
[limits]
drain_time = 2
head_deadline = 60
idle_timeout = 120
queue_timeout = 20
[[listeners]]
address = "127.0.0.1:{port}"
[[listeners]]
address = "127.0.0.1:{proxied}"
proxy = ["127.0.0.1"]
[[listeners]]
address = "127.0.0.1:{secure}"
tls = {{ certificate = "{folder}/site.pem" }}
[[routes]]
prefix = "/h/"
service = "h"
[services.h]
target = "handoff"
folder = "{folder}/run/h"
"""
PAGE = """
from svckit.web import GuardedSite
from twisted.web.resource import Resource

class Page(Resource):
    isLeaf = True
    def render_GET(self, request):
        return b"h " + request.path + b" " + request.getClientAddress().host.encode()

def make_factory(settings, reactor):
    return GuardedSite(Page(), reactor)
"""


class Wrong(AssertionError):
    """Something else than what had to be."""


class Host:
    """All processes."""

    def __init__(self, folder: Path, rules: Rules) -> None:
        self.port, self.proxied, self.secure, self._admin = (free_port() for _ in range(4))
        self.trust = write_certificate(folder / "site.pem")
        self._folder, self._file, self.reloads = folder, folder / "portico.toml", 0
        (folder / "run/h").mkdir(parents=True)
        (folder / "pages.py").write_text(PAGE)
        self._write(rules)
        svckit = str(Path(sys.executable).parent / "svckit")
        places = f"PORTICO_RUN={folder}/run", f"PYTHONPATH={folder}"
        command = ["env", *places, svckit, "run", "--service", "h", "pages:make_factory"]
        self.service = OneProcess(command, self.port, folder / "log-h")
        self.router = OneProcess([sys.executable, "-c", ROUTER, "run", self._file], self.port, folder / "log-router")
        wait_for_listener("127.0.0.1", self.port)

    def _write(self, rules: Rules) -> None:
        base = BASE.format(port=self.port, proxied=self.proxied, secure=self.secure, admin=self._admin, folder=self._folder)
        self._file.write_text(base + rules.text())

    def reload(self, rules: Rules) -> None:
        """From now on these rules hold."""
        self._write(rules)
        self.reloads += 1
        self.router.process.send_signal(signal.SIGHUP)
        self.wait(lambda: self.router.log.count("the configuration has been read again") >= self.reloads, "a reload")

    def gauges(self) -> dict[str, int]:
        """What must be nothing in the end."""
        status = json.loads(fetch(f"127.0.0.1:{self._admin}", "/status")[1])
        loads = [replica["open"] for service in status["services"].values() for replica in service["replicas"]]
        return {"held": status["held"], "open": sum(loads), "waiting": status["waiting"]}

    def sockets(self) -> int:
        """Of the router; pipes are kept for the next one who needs them."""
        found = 0
        for link in Path(f"/proc/{self.router.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found += link.readlink().name.startswith("socket:")
        return found

    def lines(self) -> list[dict[str, object]]:
        """The access log so far."""
        return [line for line in json_lines(self.router.log) if line.get("log") == "access"]

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until it holds.

        Raises:
            Wrong: it never does.
        """
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end or self.router.process.poll() is not None:
                raise Wrong(f"never came: {what}")
            time.sleep(0.005)

    def stop(self) -> None:
        """End them."""
        self.router.stop()
        self.service.stop()
