"""The peers, each tuned by its own manual for what is measured: one process or thread, no access log, long timeouts, splice or
large buffers for bulk, connections to the backend kept where it can."""

import sys
from pathlib import Path

from tests.support.site import free_port

from .replies import SERVICES
from .stage import Missing, Running, Stage

__all__ = ["caddy", "haproxy_http", "haproxy_tcp", "nginx_http", "nginx_stream", "portforward"]

_CONFIGURATIONS = Path(__file__).with_name("peers")
_STREAM_MODULES = ("/usr/lib/nginx/modules/ngx_stream_module.so", "/usr/lib64/nginx/modules/ngx_stream_module.so")


def _write(stage: Stage, file: str, **values: object) -> str:
    """A file of `peers/` with what stands between at signs replaced."""
    text = (_CONFIGURATIONS / file).read_text()
    known = {**{f"backend_{name}": port for name, port in stage.backend_ports.items()}, "folder": stage.folder, **values}
    known |= {"connections": stage.most, "descriptors": stage.descriptors}
    for name, value in known.items():
        text = text.replace(f"@{name}@", str(value))
    path = stage.folder / file
    path.write_text(text)
    return str(path)


def _run(stage: Stage, name: str, command: list[str], ports: dict[str, int], prefixes: bool, **more: str) -> Running:
    process = stage.start(name.replace(" ", "-"), command, stage.router_core, **more)
    for port in set(ports.values()):
        stage.wait_for(process, port)
    return Running(name, process, ports, prefixes)


def _haproxy(stage: Stage, mode: str, prefixes: bool) -> Running:
    program, port, bulk = stage.program("haproxy", "haproxy"), free_port(), free_port()
    path = _write(stage, f"haproxy-{mode}.cfg", port=port, port_bulk=bulk)
    ports = {**dict.fromkeys(SERVICES, port), "static-bulk": bulk, "uploads-bulk": bulk}
    return _run(stage, f"HAProxy {mode}", [program, "-db", "-f", path], ports, prefixes)


def haproxy_tcp(stage: Stage) -> Running:
    """Looks at the first request, then passes bytes on."""
    return _haproxy(stage, "tcp", False)


def haproxy_http(stage: Stage) -> Running:
    """Follows each request."""
    return _haproxy(stage, "http", True)


def nginx_stream(stage: Stage) -> Running:
    """A port for each service, as it cannot route by a path."""
    program = stage.program("nginx", "nginx-light, libnginx-mod-stream")
    module = next((found for found in _STREAM_MODULES if Path(found).exists()), None)
    if module is None:
        raise Missing("nginx has no stream module here (Debian: libnginx-mod-stream)")
    ports = {name: free_port() for name in (*SERVICES, "static-bulk", "uploads-bulk")}
    values = {f"port_{name}": port for name, port in ports.items()}
    path = _write(stage, "nginx-stream.conf", module=module, **values)
    return _run(stage, "nginx stream", [program, "-e", "stderr", "-c", path], ports, False)


def nginx_http(stage: Stage) -> Running:
    """Follows each request, with buffers of a size for what is asked for."""
    program, port = stage.program("nginx", "nginx-light"), free_port()
    path = _write(stage, "nginx-http.conf", port=port)
    return _run(stage, "nginx http", [program, "-e", "stderr", "-c", path], dict.fromkeys(SERVICES, port), True)


def caddy(stage: Stage) -> Running:
    """With one thread that runs Go."""
    program, port = stage.program("caddy", "caddy"), free_port()
    path = _write(stage, "Caddyfile", port=port)
    command = [program, "run", "--adapter", "caddyfile", "--config", path]
    home = str(stage.folder)
    return _run(
        stage, "Caddy", command, dict.fromkeys(SERVICES, port), True,
        GOMAXPROCS="1", HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home,
    )  # fmt: skip


def portforward(stage: Stage) -> Running:
    """`twisted.protocols.portforward`, a port for each service."""
    ports = {service: free_port() for service in SERVICES}
    pairs = [f"{ports[service]}:{port}" for service, port in stage.backend_ports.items()]
    return _run(stage, "portforward", [sys.executable, "-m", "bench.router.portforward", *pairs], ports, False)
