"""Where the operators' port is: an address, or a Unix socket."""

import os
import socket
from pathlib import Path

import pytest
from portico.addresses import LONGEST_PATH
from portico.adminport import open_admin
from portico.client import fetch
from portico.config import BadConfig, admin_address, parse
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory

from .support.reactor import HandReactor
from .support.wires import as_reactor


def opened(where: str, reactor: HandReactor) -> IListeningPort:
    return open_admin(where, Factory(), as_reactor(reactor))


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
        except OSError:
            return False
    return True


def test_a_unix_socket_for_owner_and_group(reactor: HandReactor, folder: Path) -> None:
    path = folder / "admin"
    port = opened(f"unix:{path}", reactor)
    assert path.stat().st_mode & 0o777 == 0o660
    assert connects(path)
    port.stopListening()
    reactor.settle()
    assert not path.exists()


def test_what_a_dead_one_has_left_is_replaced(reactor: HandReactor, folder: Path) -> None:
    path = folder / "admin"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    opened(f"unix:{path}", reactor).stopListening()


def test_a_living_one_is_not(reactor: HandReactor, folder: Path) -> None:
    path = folder / "admin"
    port = opened(f"unix:{path}", reactor)
    with pytest.raises(OSError, match=f"cannot listen on unix:{path}: Address already in use"):
        opened(f"unix:{path}", reactor)
    assert connects(path)
    port.stopListening()


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_what_is_no_socket_stays(reactor: HandReactor, folder: Path, what: str) -> None:
    path = folder / "admin"
    if what == "file":
        path.write_text("mine")
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(folder / "elsewhere")
    with pytest.raises(OSError, match="Address already in use"):
        opened(f"unix:{path}", reactor)
    assert os.path.lexists(path)
    assert not (folder / "elsewhere").exists()


def test_an_address(reactor: HandReactor) -> None:
    port = opened("127.0.0.1:0", reactor)
    socket.create_connection(("127.0.0.1", port.getHost().port), 5).close()  # type: ignore[attr-defined]
    port.stopListening()


@pytest.mark.parametrize("text", ["unix:", "unix:a\0b", f"unix:/{'x' * LONGEST_PATH}", "tcp:", "here", ""])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        admin_address(text)
    with pytest.raises(BadConfig, match="--admin: expected"):
        fetch(text, "/healthz")


def test_the_longest_path() -> None:
    path = "/" + "x" * (LONGEST_PATH - 1)
    assert admin_address(f"unix:{path}") == Path(path)


def test_the_configuration_names_the_key() -> None:
    config = 'listeners = [{address = "127.0.0.1:0"}]\nroutes = []\nservices = {}\nadmin.address = "%s"'
    assert parse(config % "unix:/run/x").admin is not None
    with pytest.raises(BadConfig, match=r"admin\.address: expected host:port, \[host\]:port or unix:PATH, found 'x'"):
        parse(config % "x")


def test_nobody_answers_at_a_unix_socket(folder: Path) -> None:
    status, text = fetch(f"unix:{folder}/none", "/healthz")
    assert status == 0
    assert text.startswith(f"no answer from unix:{folder}/none: ".encode())
