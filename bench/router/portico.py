"""Portico in its four manners, with all that a user has switched on: access log, metrics, custody, limits."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.one_process import BIN
from tests.support.site import free_port
from tests.support.tree import ROOT

from .replies import SERVICES
from .stage import Running, Stage

__all__ = ["configuration", "handoff", "in_process", "start", "tcp"]

_TOP = """
[[listeners]]
address = "127.0.0.1:{port}"
[admin]
address = "127.0.0.1:{admin}"
[limits]
tunnels = 16384
connections = 32768
idle_timeout = 600
drain_time = 1
"""
_ROUTE = """
[[routes]]
prefix = "/{prefix}/"
service = "{service}"
"""
_ENTRIES = "Metadata-Version: 2.1\nName: portico-bench-services\nVersion: 0\n"


def configuration(port: int, services: Mapping[str, str], more_routes: int = 0) -> str:
    """The router's file. `services`: the tables by name, which is the prefix too, but for `bench-`.

    `more_routes` lead to the same services, and stand before the others.
    """
    names = list(services)
    text = _TOP.format(port=port, admin=free_port())
    for number in range(more_routes):
        text += _ROUTE.format(prefix=f"route{number:04}/and/more", service=names[number % len(names)])
    for name, table in services.items():
        text += _ROUTE.format(prefix=name.removeprefix("bench-"), service=name) + f"[services.{name}]\n{table}\n"
    return text


def start(
    stage: Stage, name: str, services: Mapping[str, str], *options: str, more_routes: int = 0, prefixes: bool = True, **env: str
) -> Running:
    """A router of its own."""
    port = free_port()
    path = stage.folder / f"{name.replace(' ', '-')}.toml"
    path.write_text(configuration(port, services, more_routes))
    process = stage.start(name.replace(" ", "-"), [str(BIN / "portico"), "run", *options, str(path)], stage.router_core, **env)
    stage.wait_for(process, port)
    return Running(name, process, dict.fromkeys(SERVICES, port), prefixes)


def handoff(stage: Stage, name: str = "portico handoff", folder: Path | None = None, more_routes: int = 0) -> Running:
    """Connections go to the backend's replicas, in `folder` or those that all share."""
    run = folder or stage.run
    tables = {service: f'target = "handoff"\nfolder = "{run / service}"' for service in SERVICES}
    return start(stage, name, tables, more_routes=more_routes)


def tcp(keepalive: str) -> Callable[[Stage], Running]:
    """The backend is reached by TCP."""

    def made(stage: Stage) -> Running:
        tables = {
            service: f'target = "tcp"\naddress = "127.0.0.1:{port}"\nkeepalive = "{keepalive}"'
            for service, port in stage.backend_ports.items()
        }
        return start(stage, f"portico tcp {keepalive}", tables, prefixes=keepalive == "split")

    return made


def in_process(stage: Stage) -> Running:
    """The services run in the router's process, found by entry points as any service is."""
    packages = stage.folder / "packages"
    found = packages / "portico_bench_services-0.dist-info"
    found.mkdir(parents=True)
    (found / "METADATA").write_text(_ENTRIES)
    points = "\n".join(f"bench-{service} = bench.router.inprocess" for service in SERVICES)
    (found / "entry_points.txt").write_text(f"[portico.services]\n{points}\n")
    tables = {f"bench-{service}": 'target = "handoff"' for service in SERVICES}
    state = str(stage.folder / "state")
    return start(
        stage, "portico in-process", tables, "--in-process", "--state", state, prefixes=False, PYTHONPATH=f"{packages}:{ROOT}"
    )
