"""/ws/live tells of the routers, wherever they are: in one process, several workers, and containers."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from .support.compose import Compose
from .support.one_process import BIN, OneProcess
from .support.site import Site, free_port, wait_for_file, wait_for_listener

Told = dict[str, Any]


def until(websocket: ClientConnection, wanted: Callable[[Told], bool], seconds: float = 30.0) -> Told:
    """The first line that says so."""
    deadline = time.monotonic() + seconds
    while True:
        message = websocket.recv(timeout=15)
        assert isinstance(message, str), "text is spoken there"
        assert message.endswith("}\n")
        told: Told = json.loads(message)
        if wanted(told):
            return told
        assert time.monotonic() < deadline, told


def test_in_one_process(one_process: OneProcess) -> None:
    with connect(f"ws://127.0.0.1:{one_process.port}/ws/live", open_timeout=20) as websocket:
        told = until(websocket, lambda told: told["services"]["txws"]["open"] >= 1)
        assert (told["type"], told["routers"]) == ("status", 1)
        assert told["services"]["txws"]["target"] == "in-process"


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name: Unix sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="l") as name:
        yield Path(name)


def test_two_routers_of_two_workers_each(folder: Path) -> None:
    (folder / "routers").mkdir()
    ports = [free_port(), free_port()]
    started = [_txws(folder)]
    try:
        wait_for_file(folder / "run/txws/1.sock", started[0])
        started += [_workers(folder, port) for port in ports]
        for port in ports:
            wait_for_listener("127.0.0.1", port)
        with connect(f"ws://127.0.0.1:{ports[0]}/ws/live", open_timeout=20) as websocket:
            replica = {"replica": "1", "state": "ready", "open": 1}
            # as soon as both routers' four workers have found it: they say of it what it says of itself
            until(websocket, lambda told: told["routers"] == 2 and told["services"]["txws"]["replicas"] == [replica])
            started[-1].stop()
            told = until(websocket, lambda told: told["routers"] == 1)
            assert told["services"]["txws"]["open"] == 1
    finally:
        for each in reversed(started):
            each.stop()


def _txws(folder: Path) -> OneProcess:
    (folder / "run/txws").mkdir(parents=True)
    settings: dict[str, str | Path] = {"PORTICO_RUN": folder / "run", "PORTICO_REPLICA": "1"}
    settings["PORTICO_ROUTERS"] = folder / "routers"
    return OneProcess([BIN / "svckit", "run", "txws"], 0, folder / "log-txws", settings)


def _workers(folder: Path, port: int) -> OneProcess:
    file = folder / f"{port}.toml"
    file.write_text(f"""
        listeners = [{{address = "127.0.0.1:{port}"}}]
        routes = [{{prefix = "/ws/live", service = "txws"}}]
        admin = {{address = "unix:{folder}/{port}.admin", status_folder = "{folder}/routers"}}
        services.txws = {{target = "handoff", folder = "{folder}/run/txws"}}
    """)
    return OneProcess([BIN / "portico", "run", "--workers", "2", file], port, folder / f"log-{port}")


@pytest.mark.containers
def test_in_containers(compose: Compose, compose_site: Site) -> None:
    with connect(compose_site.ws_url + "/ws/live", open_timeout=20) as websocket:
        told = until(websocket, lambda told: told["routers"] == 1 and told["services"]["txws"]["open"] >= 1)
        assert told["services"]["static"]["target"] == "handoff"
        assert "app:8000" not in json.dumps(told), "addresses are nobody's business"
