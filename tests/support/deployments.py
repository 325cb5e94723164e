"""The same services by each of the three targets, each with four listeners: plain or TLS, with or without a PROXY header.

- in-process: the services in the router's process;
- handoff: each service a process of its own, with its socket in a folder that the router looks into;
- tcp: the services in the process of another router, which the router under test takes for any HTTP server.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from .certificate import write_certificate
from .one_process import BIN, OneProcess
from .payload import MIB
from .relay import CLIENT, Relay
from .site import ROOT, Site, first_password, free_port, wait_for_answer, wait_for_file, wait_for_listener

__all__ = ["LISTENERS", "TARGETS", "Deployment", "gunicorn", "in_process", "over_handoff", "over_tcp", "sites"]

TARGETS = ["in-process", "handoff", "tcp"]
LISTENERS = ["plain", "tls", "plain+proxy", "tls+proxy"]
PATIENT = {"proxy_deadline": 30.0, "queue_timeout": 30.0}
"""Limits, in seconds: a machine with much else to do is no reason to fail a test."""
WHOLE = 200 * MIB
PART = 8 * MIB
_SHIPPED = ROOT / "router/portico.toml"


def sites(target: str = "", listener: str = "", compose: bool = True) -> list[object]:
    """The parameters of `site`: all deployments, or those of one target or one kind of listener."""
    found: list[object] = [
        f"{each}/{kind}" for each in TARGETS for kind in LISTENERS if target in ("", each) and listener in ("", kind)
    ]
    return [*found, pytest.param("compose", marks=pytest.mark.containers)] if compose else found


def toml(value: object) -> str:
    """A value as TOML, tables as inline ones."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@dataclass(frozen=True)
class Deployment:
    """One router and all that belongs to it."""

    router: OneProcess
    password: str
    trust: Path
    ports: Mapping[str, int]
    """Where clients connect: a listener, or the relay in front of one."""
    services: tuple[OneProcess, ...]
    """Where services that see their clients write their logs."""

    def site(self, listener: str, bulk: int = PART) -> Site:
        """What a client of one of LISTENERS knows."""
        return Site(
            "127.0.0.1", self.ports[listener], self.password, self.trust if "tls" in listener else None,
            CLIENT if "proxy" in listener else "127.0.0.1", bulk, lambda: "".join(each.log for each in self.services),
        )  # fmt: skip


class _Listeners:
    """The ports of a router to be, and the certificate for half of them."""

    def __init__(self, folder: Path) -> None:
        self.trust = write_certificate(folder / "site.pem")
        self.ports = {listener: free_port() for listener in LISTENERS}
        self.tables = [self._table(listener, folder / "site.pem") for listener in LISTENERS]

    def _table(self, listener: str, certificate: Path) -> dict[str, object]:
        table: dict[str, object] = {"address": f"127.0.0.1:{self.ports[listener]}"}
        if "tls" in listener:
            table["tls"] = {"certificate": str(certificate)}
        if "proxy" in listener:
            table["proxy"] = ["127.0.0.1/32"]
        return table

    def reached(self, stack: ExitStack) -> dict[str, int]:
        """Where clients connect: by relays, where a PROXY header is wanted."""
        found = dict(self.ports)
        for listener in LISTENERS:
            if "proxy" in listener:
                relay = Relay(self.ports[listener])
                stack.callback(relay.close)
                found[listener] = relay.port
        return found


def _configuration(folder: Path, listeners: list[dict[str, object]], services: Mapping[str, object]) -> Path:
    """The shipped routes, to `services`."""
    shipped = tomllib.loads(_SHIPPED.read_text())
    written = {
        "listeners": listeners,
        "routes": [route for route in shipped["routes"] if route["service"] in services],
        "services": services,
        "limits": PATIENT,
        "in_process": shipped["in_process"],
    }
    path = folder / "portico.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in written.items()))
    return path


def _handoff_services() -> dict[str, dict[str, object]]:
    shipped = tomllib.loads(_SHIPPED.read_text())["services"]
    return {name: table for name, table in shipped.items() if table["target"] == "handoff"}


def _started(stack: ExitStack, process: OneProcess) -> OneProcess:
    stack.callback(process.stop)
    return process


def in_process(folder: Path, stack: ExitStack) -> Deployment:
    """Start it, and stop it with `stack`; `folder` is empty."""
    listeners = _Listeners(folder)
    file = _configuration(folder, listeners.tables, _handoff_services())
    port = listeners.ports["plain"]
    command: list[str | Path] = [BIN / "portico", "run", "--in-process", "--state", folder / "state", file]
    router = _started(stack, OneProcess(command, port, folder / "log"))
    wait_for_answer("127.0.0.1", port)
    return Deployment(router, first_password(router.log), listeners.trust, listeners.reached(stack), (router,))


def over_handoff(folder: Path, stack: ExitStack, instead: Mapping[str, Sequence[str | Path]] | None = None) -> Deployment:
    """Start it, and stop it with `stack`; `folder` is empty. `instead` has commands of other programs for some services."""
    listeners, names = _Listeners(folder), _handoff_services()
    processes = {name: _started(stack, _service(name, folder, (instead or {}).get(name))) for name in [*names, "authsvc"]}
    for name, process in processes.items():
        wait_for_file(folder / name / "1.sock", process)
    services = {name: {"target": "handoff", "folder": str(folder / name)} for name in names}
    port = listeners.ports["plain"]
    router = _started(stack, OneProcess.router(port, folder, _configuration(folder, listeners.tables, services)))
    wait_for_answer("127.0.0.1", port)
    password = first_password(processes["authsvc"].log)
    return Deployment(router, password, listeners.trust, listeners.reached(stack), tuple(processes.values()))


def _service(name: str, folder: Path, command: Sequence[str | Path] | None) -> OneProcess:
    (folder / name).mkdir()
    environment: dict[str, str | Path] = {
        "PORTICO_RUN": folder,
        "PORTICO_STATE": folder / f"state-{name}",
        "PORTICO_AUTH": folder / "authsvc",
        "PORTICO_REPLICA": "1",
        "PORTICO_DRAIN_TIME": "1",
    }
    if name == "static":
        environment["PORTICO_OPTION_ROOT"] = ROOT / "static/files"
    return OneProcess(command or [BIN / "svckit", "run", name], 0, folder / f"log-{name}", environment)


def over_tcp(folder: Path, behind: OneProcess, flask: OneProcess, password: str, stack: ExitStack) -> Deployment:
    """Start it in front of `behind`, and of `flask` for the service `app`; stop it with `stack`. `folder` is empty."""
    listeners = _Listeners(folder)
    ports = {"app": flask.port, **dict.fromkeys(_handoff_services(), behind.port)}
    services = {name: {"target": "tcp", "address": f"127.0.0.1:{port}"} for name, port in ports.items()}
    port = listeners.ports["plain"]
    router = _started(stack, OneProcess.router(port, folder, _configuration(folder, listeners.tables, services)))
    wait_for_answer("127.0.0.1", port)
    return Deployment(router, password, listeners.trust, listeners.reached(stack), ())


def gunicorn(folder: Path, stack: ExitStack) -> OneProcess:
    """The Flask application of `dynamic/`, as in its container; stop it with `stack`."""
    port = free_port()
    command: list[str | Path] = [
        BIN / "gunicorn", "--chdir", ROOT / "dynamic", "-c", ROOT / "dynamic/gunicorn.conf.py", "-b", f"127.0.0.1:{port}",
    ]  # fmt: skip
    running = _started(stack, OneProcess(command, port, folder / "log"))
    wait_for_listener("127.0.0.1", port)
    return running
