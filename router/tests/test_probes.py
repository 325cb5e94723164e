"""Peers that vanish: who is asked whether it is still there, and what becomes of its connection when no answer comes."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico.config import Limits
from portico.poller import Poller
from portico.probes import PROBE_INTERVAL, PROBES, probe

from .support.authority import write_pair
from .support.deployment import deployed
from .support.places import FullRig, get
from .support.reactor import HandReactor
from .support.wires import Logged, tcp_pair

TCP_REPAIR = 19
"""linux/tcp.h: a socket that is closed in this state says nothing to its peer."""
CONFIG = """
listeners = [{address = "127.0.0.1:0"}, {address = "127.0.0.1:0", tls = {certificate = "FOLDER/pair.pem"}}]
routes = [{prefix = "/", service = "app"}]
services.app = {target = "tcp", address = "%s:%d", keepalive = "pin"}
limits.probe_after = %d
"""


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged) -> Iterator[FullRig]:
    made = FullRig(reactor, poller, logged)
    yield made
    made.close()


def asked(sock: socket.socket) -> tuple[int, ...]:
    """Whether its peer is asked, after how long, how often and how many times."""
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    times = [sock.getsockopt(socket.IPPROTO_TCP, option) for option in options]
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), *times


def vanish(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except OSError as error:
        if error.errno == errno.EPERM:
            assert os.environ.get("PORTICO_REQUIRE_PROGRAMS") != "1", "what the suite needs is required"
            pytest.skip("only who may administer the network can make a peer vanish")
        raise
    sock.close()


def test_what_a_socket_is_told() -> None:
    client, ours = tcp_pair()
    with client, socket.socket(fileno=ours.detach()) as sock:
        assert asked(sock)[0] == 0
        probe(sock, 77)
        assert asked(sock) == (1, 77, PROBE_INTERVAL, PROBES)


@pytest.mark.parametrize("listener", [0, 1])
def test_every_client_is_asked_and_a_reload_changes_when(
    reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch, listener: int
) -> None:
    """The plain ones, and those by TLS, whose own socket it is that counts."""
    write_pair(folder / "pair.pem", folder / "pair.pem", "one.example")
    with socket.create_server(("127.0.0.1", 0)) as server:
        at = server.getsockname()
        with deployed(reactor, folder, CONFIG % (*at, 300), "tcp", monkeypatch) as made:
            clients: list[socket.socket] = []
            for after in (300, 20):
                made.reload(CONFIG % (*at, after))
                clients.append(socket.create_connection(made.application.addresses[listener], timeout=5))
                clients[-1].sendall(b"\x16\x03" if listener else b"SSH-")
                reactor.until(lambda: made.application.router.places.held == len(clients))
                assert asked_of(clients[-1]) == (1, after, PROBE_INTERVAL, PROBES)
            assert asked_of(clients[0]) == (1, 300, PROBE_INTERVAL, PROBES)
            for client in clients:
                client.close()


def asked_of(client: socket.socket) -> tuple[int, ...]:
    """The same of the other end, which this process holds too."""
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if not link.readlink().name.startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(link.name))) as other:
                if other.family == socket.AF_INET and other.getpeername() == client.getsockname():
                    return asked(other)
    raise AssertionError("nobody has it")


@pytest.mark.parametrize("keepalive", ["pin", "close", "split"])
def test_the_server_of_a_tunnel_is_asked(rig: FullRig, keepalive: str) -> None:
    server = rig.server()
    rig.make(Limits(probe_after=44), keepalive=keepalive)
    client = rig.connect(get("/ws", "Connection: Upgrade\r\nUpgrade: chat\r\n"))
    end = server.accept()
    if keepalive == "split":
        end.sock.send(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
        rig.gets(client, b"\r\n\r\n")
    assert asked_of(end.sock) == (1, 44, PROBE_INTERVAL, PROBES)


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_peer_that_has_vanished_is_found_out(rig: FullRig, who: str) -> None:
    server = rig.server()
    rig.make(Limits(probe_after=1), keepalive="pin")
    client = rig.connect()
    (connecting,) = rig.target._attempts
    probe(connecting.sock, 1)  # what it would have from its listener
    end = server.accept()
    server.hears(end, b"GET ")
    vanish(end.sock if who == "server" else client.sock)
    rig.reactor.until(lambda: rig.loads == [0])
    assert [line["ended"] for line in rig.logged.lines] == ["SD" if who == "server" else "CD"]
