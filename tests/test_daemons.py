"""Keeper, router and services as daemons of their own: the small form of `python -m tests.daemons`."""

import asyncio
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from .daemons.__main__ import under_restarts
from .daemons.cell import Daemons, daemons
from .daemons.clients import Clients
from .support.daemon import as_root

pytestmark = pytest.mark.timeout(300)
"""Seconds; many processes are started, which takes its time where there is more to do."""


@pytest.fixture(scope="module")
def cell() -> Iterator[Daemons]:
    as_root()
    with daemons() as made:
        yield made


def test_each_has_a_user_of_its_own_and_none_is_root(cell: Daemons) -> None:
    assert {name: daemon.users() for name, daemon in cell.all.items()} == {name: {str(uid)} for name, uid in cell.uids.items()}
    assert {each.parent.stat().st_uid for each in cell.socket_of("static")} == {cell.uids["static"]}


def test_a_live_connection_outlives_the_router_and_the_other_services(cell: Daemons) -> None:
    with connect(f"ws://127.0.0.1:{cell.port}/ws/autobahn/echo", open_timeout=10) as websocket:
        for name in ("router", "static"):
            cell.restart(name)
            websocket.send(name)
            assert websocket.recv(20) == name


def test_nothing_is_lost_while_each_is_restarted(cell: Daemons) -> None:
    clients = Clients(cell.port, requests=4, uploads=1, websockets=2)
    closed = asyncio.run(under_restarts(cell, clients, 1, 0.2))
    assert clients.problems + clients.lost() == []
    assert clients.counts["uploads"] and clients.counts["echoes"] and clients.load.counts["right"]
    assert closed == {"router": 0, "static": 0, "uploads": 0, "autobahn": 2}
