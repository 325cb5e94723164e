"""The servers that are compared, each as its documentation has it for files, on one core and without a log of requests."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from bench.machine import cpu
from tests.support.one_process import OneProcess
from tests.support.site import free_port, wait_for_file, wait_for_listener

__all__ = ["CADDY", "Server", "start_all"]

BIN = Path(sys.executable).parent
CADDY = "caddy"
CACHED = "nginx cached"
"""With its cache of open files, which is off by default: a change is seen within a minute, and not at the next request."""
_NGINX = """
{user} worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; {more}
  types {{ application/octet-stream bin; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {folder}/root; }}
}}
"""
_CADDY = """
{{
  admin off
  auto_https off
  storage file_system {folder}/caddy
}}
http://127.0.0.1:{port} {{
  root * {folder}/root
  file_server
}}
"""
_AIOHTTP = """
import sys
from aiohttp import web
app = web.Application()
app.router.add_static("/static", sys.argv[2] + "/root/static")
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""
_STARLETTE = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
app = Starlette(routes=[Mount("/static", StaticFiles(directory=sys.argv[2] + "/root/static"))])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
"""
_ROUTER = """
[[listeners]]
address = "127.0.0.1:{port}"
[[routes]]
prefix = "/static/"
service = "static"
[services.static]
target = "handoff"
folder = "{folder}/run/static"
"""


class Server:
    """A server that runs; `pids` are those of its processes that answer."""

    def __init__(self, name: str, port: int, pids: list[int]) -> None:
        self.name, self.port, self.pids = name, port, pids

    def cpu(self) -> float:
        """Seconds of processor that its threads have used so far, and their children's."""
        return cpu(*self.pids)

    def peak_memory(self) -> int:
        """Kibibytes, of all its processes."""
        found = 0
        for pid in self.pids:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found += next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return found


def start_all(folder: Path, stack: ExitStack) -> list[Server]:
    """All that are installed; they are ended with `stack`."""
    return [
        each
        for each in (
            _portico(folder, stack),
            _nginx(folder, stack, "nginx"),
            _nginx(folder, stack, CACHED, "open_file_cache max=1000;"),
            _caddy(folder, stack),
            *_python(folder, stack),
        )
        if each
    ]


def _run(stack: ExitStack, folder: Path, name: str, command: list[str], **environment: str) -> subprocess.Popen[bytes]:
    pinned = ["taskset", "-c", "0", *command] if shutil.which("taskset") else command
    with (folder / f"log-{name}").open("wb") as log:
        process = subprocess.Popen(pinned, stdout=log, stderr=log, env={**os.environ, **environment})  # noqa: S603
    stack.callback(process.wait, 15)
    stack.callback(process.terminate)
    return process


def _portico(folder: Path, stack: ExitStack) -> Server:
    (folder / "run/static").mkdir(parents=True)
    port = free_port()
    (folder / "portico.toml").write_text(_ROUTER.format(port=port, folder=folder))
    environment = {"PORTICO_RUN": f"{folder}/run", "PORTICO_STATE": f"{folder}/state", "PORTICO_REPLICA": "1"}
    options = {"PORTICO_OPTION_ROOT": f"{folder}/root/static", "PORTICO_OPTION_LOG_REQUESTS": "false"}
    service = _run(stack, folder, "static", [str(BIN / "svckit"), "run", "static"], **environment, **options)
    router = OneProcess.router(port, folder, folder / "portico.toml")
    stack.callback(router.stop)
    wait_for_file(folder / "run/static/1.sock", router)
    wait_for_listener("127.0.0.1", port)
    return Server("portico", port, [service.pid, router.process.pid])


def _nginx(folder: Path, stack: ExitStack, name: str, more: str = "") -> Server:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "the ratios are to nginx (on Debian: apt-get install nginx-light)"
    port, path = free_port(), folder / f"{name.replace(' ', '-')}.conf"
    user = "user root;" if os.getuid() == 0 else ""
    path.write_text(_NGINX.format(folder=folder, port=port, user=user, more=more, name=path.stem))
    process = _run(stack, folder, path.stem, [program, "-c", str(path), "-e", f"{folder}/{path.stem}.log"])
    wait_for_listener("127.0.0.1", port)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return Server(name, port, [int(pid) for pid in workers])


def _caddy(folder: Path, stack: ExitStack) -> Server | None:
    program = shutil.which(CADDY)
    if program is None:
        return None
    port = free_port()
    (folder / "Caddyfile").write_text(_CADDY.format(folder=folder, port=port))
    command = [program, "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]
    process = _run(stack, folder, CADDY, command, GOMAXPROCS="1", HOME=str(folder))
    wait_for_listener("127.0.0.1", port)
    return Server(CADDY, port, [process.pid])


def _python(folder: Path, stack: ExitStack) -> list[Server]:
    found = []
    for name, program in (("aiohttp", _AIOHTTP), ("starlette", _STARLETTE)):
        port = free_port()
        process = _run(stack, folder, name, [sys.executable, "-c", program, str(port), str(folder)])
        wait_for_listener("127.0.0.1", port)
        found.append(Server(name, port, [process.pid]))
    port = free_port()
    # A file of its own, though nobody reads it: its log is rotated, and /dev/null would be, too.
    log = f"{folder}/twistd.log"
    web = ["web", "--path", f"{folder}/root", "--listen", f"tcp:{port}:interface=127.0.0.1", "--logfile", log]
    process = _run(stack, folder, "twistd", [str(BIN / "twistd"), "-n", "--pidfile=", *web])
    wait_for_listener("127.0.0.1", port)
    found.append(Server("twistd web", port, [process.pid]))
    return found
