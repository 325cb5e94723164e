"""Ports that are there before the router is: bound early, or passed by systemd."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from portico.daemon.ports import FIRST, BoundPorts, PassedPorts, passed

ANY = ("127.0.0.1", 0)


def test_a_bound_port_is_the_borrowers_own() -> None:
    ports = BoundPorts([ANY])
    sock = ports.borrow(ANY)
    port = sock.getsockname()[1]
    assert ports.is_gone  # so the listener accepts what waits before it closes
    ports.close()
    with socket.create_connection(("127.0.0.1", port), 5):
        pass
    sock.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_a_port_that_was_not_bound_is_bound_when_it_is_borrowed() -> None:
    ports = BoundPorts([])
    with ports.borrow(ANY) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ports.leave(ANY)


def test_if_one_cannot_be_had_none_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        free = other.getsockname()[1]
        other.close()
        with pytest.raises(OSError, match="cannot listen on"):
            BoundPorts([("127.0.0.1", free), ("127.0.0.1", taken.getsockname()[1])])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free), 5)


def test_systemds_ports_are_copied_and_outlive_the_borrower() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        at = held.getsockname()
        ports = PassedPorts.from_descriptors([os.dup(held.fileno())])
        with ports.borrow(at) as sock:
            assert not sock.getblocking()
            assert not ports.is_gone
        ports.leave(at)
        with ports.borrow(at), socket.create_connection(at, 5):
            pass
        with pytest.raises(OSError, match=f"no socket for 127.0.0.1:1, only for 127.0.0.1:{at[1]}"):
            ports.borrow(("127.0.0.1", 1))
        ports.close()


def test_what_is_no_listening_socket_is_refused() -> None:
    ours, theirs = socket.socketpair()
    with pytest.raises(OSError, match="no listening TCP socket"):
        PassedPorts.from_descriptors([ours.detach()])
    theirs.close()


def test_only_the_process_that_they_are_for_takes_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    monkeypatch.setattr(os, "set_inheritable", lambda descriptor, on: closed.append((descriptor, on)))
    assert passed({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}) == [FIRST, FIRST + 1]
    assert closed == [(FIRST, False), (FIRST + 1, False)]
    assert passed({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) == []
    assert passed({}) == []
    assert passed() == []


CHILD = """
import os, sys
if "LISTEN_PID" not in os.environ:
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
import twisted.internet.endpoints
from portico.daemon.ports import passed
print(passed(), "LISTEN_PID" in os.environ)
"""


def test_twisted_may_have_taken_the_variables_before(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    command = ["/bin/sh", "-c", 'exec "$0" "$1" 3</dev/null', sys.executable, str(tmp_path / "child.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[3] False\n"
