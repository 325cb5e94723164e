"""Who is compared, each a server that runs; and where it puts its files."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench.static.servers import Server
from tests.resumes.stage import stage
from tests.support.payload import WISH
from tests.support.site import free_port, wait_for_listener

__all__ = ["NGINX", "Contender", "start_all"]

NGINX = "nginx"
PEERS = (NGINX, "aiohttp", "starlette")


class Contender(Server):
    """A server, and how it is asked."""

    def __init__(self, name: str, port: int, pids: list[int], folder: Path, headers: Mapping[str, str] | None = None) -> None:
        """`folder` is the one of its files."""
        super().__init__(name, port, pids)
        self.folder, self.headers = folder, headers or {}


def start_all(folder: Path, stack: ExitStack) -> list[Contender]:
    """Ours through the router, twice: as it is, and asked for the SHA-256; then all peers that are installed.

    None keeps a log of requests. Each runs in a session of its own: a scheduler may share the processor among sessions first.
    """
    short = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))  # Unix sockets lie in it
    made = stack.enter_context(stage(short / "s", folder / "portico", keep_free=0, log_requests="false"))
    pids = [made.router.process.pid, made.replicas[0].process.pid]
    found = [
        Contender("portico", made.port, pids, made.root),
        Contender("portico, asked for SHA-256", made.port, pids, made.root, WISH),
    ]
    path = f"{os.environ['PATH']}:/usr/sbin"
    return found + [
        _start(peer, folder / peer, stack, path) for peer in PEERS if peer != NGINX or shutil.which(peer, path=path)
    ]


def _start(peer: str, folder: Path, stack: ExitStack, path: str) -> Contender:
    (folder / "uploads").mkdir(parents=True)
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("servers.py")), peer, str(port), str(folder)]
    process = subprocess.Popen(command, start_new_session=True, env={**os.environ, "PATH": path})  # noqa: S603
    stack.callback(process.wait, 15)
    stack.callback(process.terminate)
    wait_for_listener("127.0.0.1", port)
    return Contender(peer, port, [process.pid], folder / "uploads")
