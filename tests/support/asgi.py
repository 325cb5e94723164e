"""Portico over the handoff, each service a process of its own, with the static service replaced by the ASGI example."""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from .deployments import Deployment, over_handoff
from .one_process import OneProcess
from .site import ROOT, free_port

__all__ = ["EXAMPLES", "configuration", "service", "with_asgi_files"]

EXAMPLES = ROOT / "examples"
_BIN = Path(sys.executable).parent


def service(name: str, folder: Path, stack: ExitStack, command: Sequence[str | Path], *variables: str) -> OneProcess:
    """Start a service and wait for its socket file; `stack` ends it. Returns when routers can find it."""
    environment = [
        f"PORTICO_RUN={folder}", f"PORTICO_STATE={folder / name}-state", f"PORTICO_AUTH={folder / 'authsvc'}",
        "PORTICO_REPLICA=1", "PORTICO_DRAIN_TIME=2", *variables,
    ]  # fmt: skip
    running = OneProcess(["env", *environment, _BIN / command[0], *command[1:]], 0, folder / f"{name}.log")
    stack.callback(running.stop)
    end = time.monotonic() + 30
    while not (folder / name / "1.sock").exists():
        if running.process.poll() is not None or time.monotonic() > end:
            raise TimeoutError(f"{name} did not start: {running.log}")
        time.sleep(0.02)
    return running


def configuration(folder: Path, port: int, services: Sequence[str], routes: Sequence[dict[str, str]]) -> Path:
    """A router's, for services whose replicas are in `folder`."""
    lines = [f'[[listeners]]\naddress = "127.0.0.1:{port}"', f'[admin]\naddress = "127.0.0.1:{free_port()}"']
    lines += ["\n".join(["[[routes]]", *(f"{key} = {json.dumps(value)}" for key, value in route.items())]) for route in routes]
    lines += [f'[services.{name}]\ntarget = "handoff"\nfolder = {json.dumps(str(folder / name))}' for name in services]
    path = folder / "portico.toml"
    path.write_text("\n\n".join(lines) + "\n")
    return path


def with_asgi_files(folder: Path, stack: ExitStack) -> Deployment:
    """Start it all; `stack` ends it."""
    pages = f"PORTICO_OPTION_PAGES={ROOT / 'static/src/staticsvc/pages'}"
    asgi: list[str | Path] = [
        "svckit-asgi",
        "--app-dir",
        EXAMPLES / "asgi",
        "--factory",
        "files:make_app",
        "--service",
        "static",
    ]
    return over_handoff(folder, stack, {"static": ["env", pages, *asgi]})
