"""Routers in containers, on one gate: they come, go, are replaced and are killed, and no connection is refused."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from .support.compose import Compose, call_inside, log_of
from .support.load import Load
from .support.site import Site
from .support.talk import Talk

pytestmark = pytest.mark.containers

PUBLIC = "/static/hello.txt"


@contextmanager
def load(compose: Compose, site: Site) -> Iterator[tuple[Load, Talk]]:
    """Kept and fresh connections, and WebSockets."""
    with Talk(f"{site.ws_url}/ws/autobahn/echo") as talk, Load("127.0.0.1", compose.port, PUBLIC, 8) as asked:
        time.sleep(0.5)
        yield asked, talk
        time.sleep(0.5)
    assert asked.answered
    assert talk.echoed
    assert talk.failures == []


def scale(compose: Compose, routers: int) -> None:
    compose.call("up", "--no-build", "--no-recreate", "--wait", "--scale", f"router={routers}", "router", seconds=120)


def replace(compose: Compose) -> None:
    compose.call("up", "--no-build", "--no-deps", "--force-recreate", "--wait", "router", seconds=120)


def restart(compose: Compose) -> None:
    compose.call("restart", "router", seconds=120)
    compose.wait_healthy("router")


@pytest.mark.parametrize("what", [replace, restart])
def test_a_router_is_replaced_and_nothing_fails(compose: Compose, compose_site: Site, what: Callable[[Compose], None]) -> None:
    before = compose.container("router").id, compose.container("router").attrs["State"]["StartedAt"]
    with load(compose, compose_site) as (asked, _):
        what(compose)
    assert asked.failures == []
    assert (compose.container("router").id, compose.container("router").attrs["State"]["StartedAt"]) != before


def test_two_routers_share_the_port_and_nothing_fails(compose: Compose, compose_site: Site) -> None:
    try:
        with load(compose, compose_site) as (asked, _):
            scale(compose, 2)
            time.sleep(1)
            statuses = [
                json.loads(call_inside(router, "portico", "status", "--json")) for router in compose.containers("router")
            ]
            scale(compose, 1)
    finally:
        scale(compose, 1)
    assert asked.failures == []
    assert len(statuses) == 2
    assert all(status["counts"]["accepted"] > 0 for status in statuses)  # each asked its own, and each had some
    assert len(compose.containers("router")) == 1


def test_a_router_is_killed_and_nothing_is_refused(compose: Compose, compose_site: Site) -> None:
    """What was in its own hands may be lost, as it was taken from the queue and not yet handed over."""
    with load(compose, compose_site) as (asked, _):
        compose.crash("router")
        time.sleep(1)
        compose.wait_healthy("router")
    assert [failure for failure in asked.failures if "refused" in failure.lower()] == []
    assert len(asked.failures) <= asked.clients // 2, asked.failures  # one for each that opens a connection for each request


def test_gate_keeps_the_port_for_routers_only(compose: Compose, compose_site: Site) -> None:
    gate = compose.container("gate")
    assert "listening on 0.0.0.0:8080" in log_of(gate)
    stranger = (
        "import socket\n"
        "with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:\n"
        "    sock.connect('\\0portico-keeper')\n"
        "    print(sock.recv(1))\n"
    )
    assert call_inside(gate, "python", "-ISc", stranger) == "b''"  # gate's own uid is not a router's
    assert f"is turned away: its uid is {65_534}" in log_of(gate)
