"""Who takes part, in the order of the tables."""

from collections.abc import Callable

from . import peers, portico
from .stage import Running, Stage

__all__ = ["ALL", "DIRECT"]

DIRECT = "direct"


def _direct(stage: Stage) -> Running:
    """No router at all: what there is to lose."""
    return Running(DIRECT, None, stage.backend_ports, False)


ALL: dict[str, Callable[[Stage], Running]] = {
    DIRECT: _direct,
    "portico handoff": portico.handoff,
    "portico tcp pin": portico.tcp("pin"),
    "portico tcp split": portico.tcp("split"),
    "portico in-process": portico.in_process,
    "HAProxy tcp": peers.haproxy_tcp,
    "HAProxy http": peers.haproxy_http,
    "nginx stream": peers.nginx_stream,
    "nginx http": peers.nginx_http,
    "Caddy": peers.caddy,
    "portforward": peers.portforward,
}
