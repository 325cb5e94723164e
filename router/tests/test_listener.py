"""The listening port: many accepts at a time, first bytes read at once, rest and recovery when descriptors run out."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from portico import listener as module
from portico.arrival import Address, Arrival
from portico.listener import ACCEPTS_AT_ONCE, REST
from portico.poller import Poller

from .support.listeners import HEAD, Make, connect
from .support.reactor import HandReactor


def test_one_connection_with_its_first_bytes(reactor: HandReactor, make_listener: Make, admitted: list[Arrival]) -> None:
    listener = make_listener()
    reactor.advance(42)
    client = connect(listener.at)
    reactor.until(lambda: admitted)
    (arrival,) = admitted
    assert arrival.preface == HEAD
    assert arrival.client == client.getsockname()
    assert arrival.listener == listener.at
    assert arrival.since == 42
    assert not arrival.returned
    arrival.sock.send(b"yes")
    assert client.recv(10) == b"yes"
    client.close()


def test_many_accepts(reactor: HandReactor, make_listener: Make, admitted: list[Arrival]) -> None:
    listener = make_listener()
    clients = [connect(listener.at, b"%d" % number) for number in range(3 * ACCEPTS_AT_ONCE + 5)]
    reactor.turn()
    assert len(admitted) <= ACCEPTS_AT_ONCE  # others get their turn
    reactor.until(lambda: len(admitted) == len(clients))
    assert {arrival.client: arrival.preface for arrival in admitted} == {
        client.getsockname(): b"%d" % number for number, client in enumerate(clients)
    }
    for client in clients:
        client.close()


def test_no_more_is_read_than_a_head_may_have(reactor: HandReactor, make_listener: Make, admitted: list[Arrival]) -> None:
    client = connect(make_listener(head_size=256).at, b"x" * 1_000)
    reactor.until(lambda: admitted)
    assert admitted[0].preface == b"x" * 256
    assert admitted[0].sock.recv(10_000) == b"x" * 744
    client.close()


def test_a_connection_without_bytes_is_let_through(reactor: HandReactor, make_listener: Make, admitted: list[Arrival]) -> None:
    """The kernel keeps it back for about a second, and no longer: server-first protocols depend on it."""
    client = connect(make_listener().at, b"")
    reactor.until(lambda: admitted)
    assert admitted[0].preface == b""
    client.close()


def test_a_client_that_came_and_went(reactor: HandReactor, make_listener: Make, admitted: list[Arrival]) -> None:
    listener = make_listener()
    connect(listener.at, b"").close()
    client = connect(listener.at)
    reactor.until(lambda: admitted)
    reactor.settle()
    assert [arrival.client for arrival in admitted] == [client.getsockname()]
    client.close()


def test_stop_closes_the_port(reactor: HandReactor, poller: Poller, make_listener: Make) -> None:
    listener = make_listener()
    listener.stop()
    listener.stop()
    assert len(poller) == 0
    with pytest.raises(ConnectionRefusedError):
        connect(listener.at)


def test_options_of_accepted_sockets(reactor: HandReactor, make_listener: Make, admitted: list[Arrival]) -> None:
    client = connect(make_listener().at)
    reactor.until(lambda: admitted)
    sock = admitted[0].sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert not os.get_inheritable(sock.fileno())
    client.close()


@pytest.mark.parametrize(
    ("at", "where"),
    [
        ("127.0.0.1", "127.0.0.1:{}"),
        pytest.param("::1", "[::1]:{}", marks=pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")),
    ],
)
def test_a_port_in_use_is_named(make_listener: Make, at: str, where: str) -> None:
    port = make_listener((at, 0)).at[1]
    with pytest.raises(OSError, match="cannot listen on") as caught:
        make_listener((at, port))
    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.strerror == f"cannot listen on {where.format(port)}: Address already in use"


def test_a_host_that_is_not_ours_is_named(make_listener: Make) -> None:
    with pytest.raises(OSError, match=r"cannot listen on 203\.0\.113\.1:80: "):
        make_listener(("203.0.113.1", 80))


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv4_clients_of_an_ipv6_port_have_their_ipv4_address(
    reactor: HandReactor, make_listener: Make, admitted: list[Arrival]
) -> None:
    listener = make_listener(("::", 0))
    clients = [connect((host, listener.at[1])) for host in ("127.0.0.1", "::1")]
    reactor.until(lambda: len(admitted) == 2)
    assert {arrival.client for arrival in admitted} == {client.getsockname()[:2] for client in clients}
    assert {arrival.client[0] for arrival in admitted} == {"127.0.0.1", "::1"}
    for arrival in admitted:  # and the socket works as one of its own family
        adopted = arrival.as_socket()
        assert adopted.family == socket.AF_INET6
        adopted.close()
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("peer", "plain"),
    [
        (("10.0.0.1", 5), ("10.0.0.1", 5)),
        (("::ffff:10.0.0.1", 5, 0, 0), ("10.0.0.1", 5)),
        (("::1", 5, 0, 0), ("::1", 5)),
        (("::ffff:a:b", 5, 0, 0), ("::ffff:a:b", 5)),
        (("fe80::1%eth0", 5, 0, 2), ("fe80::1%eth0", 5)),
    ],
)
def test_peers_in_plain_form(peer: tuple[str, int], plain: Address) -> None:
    assert module.plain(peer) == plain


EXHAUST = """
import resource, socket
from portico.listener import ACCEPTS_AT_ONCE, QUIET, REST, Listener
from portico.places import Places
from portico.poller import Poller
from support.reactor import HandReactor

reactor, poller, admitted = HandReactor(), Poller(), []
poller.start(reactor)
listener = Listener(("127.0.0.1", 0), 1024, poller, reactor, admitted.append)
listener.start()
clients = [socket.create_connection(listener.at) for _ in range(12)]
for client in clients:
    client.send(b"x")
import os
import select
highest = max(map(int, os.listdir("/proc/self/fd")))
resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 5, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
{then}
"""
RECOVERS = """
reactor.settle()  # fails if it spins on what it cannot accept
first = len(admitted)
assert 0 < first < 12, first
assert len(reactor.getDelayedCalls()) == 1
reactor.advance({rest})
reactor.settle()
assert len(admitted) == first, "nothing has been closed yet"
assert len(reactor.getDelayedCalls()) == 1
while len(admitted) < 12:
    for arrival in admitted:
        arrival.close()
    reactor.advance({rest})
    before = len(admitted)
    reactor.settle()
    assert len(admitted) > before
assert not reactor.lost
print("recovered")
"""
STOPS = """
reactor.settle()
assert len(reactor.getDelayedCalls()) == 1
listener.stop()
assert not reactor.getDelayedCalls()
assert len(poller) == 0
print("stopped")
"""


@pytest.mark.parametrize(("then", "says"), [(RECOVERS.format(rest=REST), "recovered"), (STOPS, "stopped")])
def test_without_descriptors_it_rests(then: str, says: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", EXHAUST.replace("{then}", then)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (child.stdout.strip(), child.returncode) == (says, 0), child.stderr
