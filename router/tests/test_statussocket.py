"""A router's socket for those who may look at its status."""

import socket
from pathlib import Path

import pytest
from portico.admin import make_status_site
from portico.statussocket import open_status
from twisted.internet.protocol import Factory

from .support.reactor import HandReactor
from .support.wires import as_reactor


def sockets(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.sock"))


def test_one_socket_for_each_router_and_those_of_dead_ones_go(reactor: HandReactor, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as other:
        dead.bind(str(folder / "dead-1.sock"))
        other.bind(str(folder / "other-1.sock"))
        other.listen()
        (port,) = open_status(str(folder), make_status_site(dict), as_reactor(reactor))
        names = {path.name for path in sockets(folder)}
        assert "other-1.sock" in names
        assert "dead-1.sock" not in names
        assert len(names) == 2
        (ours,) = (path for path in sockets(folder) if path.name != "other-1.sock")
        assert ours.stat().st_mode & 0o777 == 0o660
        port.stopListening()
        reactor.settle()
        assert [path.name for path in sockets(folder)] == ["other-1.sock"]


@pytest.mark.parametrize("where", ["missing", "x" * 120])
def test_a_folder_that_cannot_be_used_stops_no_router(reactor: HandReactor, folder: Path, where: str) -> None:
    assert open_status(str(folder / where), Factory(), as_reactor(reactor)) == []


def test_none_is_wanted(reactor: HandReactor) -> None:
    assert open_status(None, Factory(), as_reactor(reactor)) == []
