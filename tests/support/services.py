"""A router and some of the services behind it, each a process of its own, without containers."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from .one_process import BIN, OneProcess
from .site import wait_for_file, wait_for_listener

__all__ = ["run_services"]


def run_services(
    folder: Path,
    port: int,
    configuration: str,
    services: Mapping[str, Mapping[str, str]],
    stack: ExitStack,
    router: Mapping[str, str] | None = None,
) -> dict[str, OneProcess]:
    """All of them by name, the router as `router`; `stack` stops them.

    The services have their sockets in `folder`/NAME. Each has its own environment in `services`, and the router in `router`.
    """
    (folder / "portico.toml").write_text(configuration)
    common: dict[str, str | Path] = {
        "PORTICO_RUN": folder,
        "PORTICO_STATE": folder / "state",
        "PORTICO_AUTH": folder / "authsvc",
        "PORTICO_REPLICA": "1",
        "PORTICO_DRAIN_TIME": "1",
    }
    started = {}
    for name, more in services.items():
        (folder / name).mkdir()
        started[name] = OneProcess([BIN / "svckit", "run", name], 0, folder / f"log-{name}", {**common, **more})
        stack.callback(started[name].stop)
    for name, process in started.items():
        wait_for_file(folder / name / "1.sock", process)
    command: list[str | Path] = [BIN / "portico", "run", folder / "portico.toml"]
    started["router"] = OneProcess(command, port, folder / "log-router", router)
    stack.callback(started["router"].stop)
    wait_for_listener("127.0.0.1", port)
    return started
