"""What is held comes back to nothing after every way out of the router, whatever the target."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from portico.core.proxyprotocol import encode_v2
from portico.targets.split import LAST_REQUESTS

from .support.authority import write_pair
from .support.deployment import KINDS, Deployment, deployed, request
from .support.reactor import HandReactor
from .support.tlsclient import TlsClient
from .support.wires import Inbox, reset

LISTENERS = """
listeners = [
  {address = "127.0.0.1:0"},
  {address = "127.0.0.2:0", tls = {certificate = "FOLDER/one.pem"}},
  {address = "127.0.0.3:0", proxy = ["127.0.0.0/8"]},
]
routes = [
  {prefix = "/a/", service = "alpha"}, {prefix = "/b/", service = "beta"},
  {prefix = "/away/", service = "away"}, {prefix = "/gone/", service = "gone"}, {prefix = "/tls/", redirect = "https"},
]
[services.gone]
target = "tcp"
address = "127.0.0.1:1"
[services.away]
target = "handoff"
folder = "FOLDER/away"
[limits]
drain_time = 3.0
head_deadline = 6.0
proxy_deadline = 2.0
waiting = 3
tls_sessions = 2
queue_timeout = 4.0
queue_size = 2
%s
"""
PLAIN, TLS, PROXY = range(3)
SOURCE = ("203.0.113.9", 40_000)
HANDOFF = '[services.{0}]\ntarget = "handoff"\nfolder = "FOLDER/{0}"\n'
TCP = '[services.{0}]\ntarget = "tcp"\naddress = "127.0.0.1:1"\n'


def configuration(kind: str, limits: str = "") -> str:
    return LISTENERS % limits + "".join((TCP if kind == "tcp" else HANDOFF).format(name) for name in ("alpha", "beta"))


class Counted:
    """A deployment, and what its router holds."""

    def __init__(self, deployment: Deployment, kind: str) -> None:
        self.deployment, self.kind, self.reactor = deployment, kind, deployment.reactor
        self.places = deployment.application.router.places
        if kind == "handoff":
            for name in ("alpha", "beta"):
                deployment.replica(name)
        self.servers = {name: deployment.server(name) for name in ("alpha", "beta") if kind == "tcp"}
        self._find_servers()

    def _find_servers(self) -> None:
        for name, at in self.servers.items():
            self.deployment.application._services[name].target.replicas.found([at])  # type: ignore[attr-defined]

    def reload(self, limits: str = "") -> None:
        self.deployment.reload(configuration(self.kind, limits))
        self._find_servers()

    def connect(self, data: bytes = b"", listener: int = PLAIN) -> Inbox:
        inbox = Inbox(socket.create_connection(self.deployment.application.addresses[listener], timeout=5))
        inbox.sock.send(data)
        return inbox

    def arrives(self, data: bytes, listener: int = PLAIN) -> Inbox:
        """A connection that the router holds from now on."""
        before = self.places.held
        client = self.connect(data, listener)
        self.reactor.until(lambda: self.places.held == before + 1)
        return client

    def ends(self, client: Inbox, status: int | None = None) -> None:
        """The router ends it, with this answer or none; then the client does."""
        self.reactor.until(client.has_ended)
        assert client.data[9:12] == (b"" if status is None else str(status).encode()), client.data
        client.sock.close()

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds * 10)):
            self.reactor.advance(0.1)
        self.reactor.settle()

    def nothing_is_left(self) -> None:
        self.reactor.until(lambda: not self.places.held)
        assert not self.places._clients


@pytest.fixture(params=KINDS)
def counted(
    request: pytest.FixtureRequest, reactor: HandReactor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Counted]:
    write_pair(folder / "one.pem", folder / "one.pem", "one.example")
    kind: str = request.param
    with deployed(reactor, folder, configuration(kind), kind, monkeypatch) as deployment:
        yield Counted(deployment, kind)


def leaves_without_a_word(counted: Counted) -> None:
    client = counted.connect()
    counted.reactor.until(lambda: counted.places.held)
    assert counted.places.of("127.0.0.1") == 1
    client.sock.close()


def leaves_in_the_head(counted: Counted) -> None:
    counted.arrives(b"GET /").sock.close()


def breaks_off_in_the_head(counted: Counted) -> None:
    reset(counted.arrives(b"GET /").sock)


def is_silent_until_the_deadline(counted: Counted) -> None:
    client = counted.arrives(b"")
    counted.pass_time(6.1)
    counted.ends(client)


def is_late(counted: Counted) -> None:
    client = counted.arrives(b"GET /")
    counted.pass_time(6.1)
    counted.ends(client, 408)


def makes_room_for_others(counted: Counted) -> None:
    clients = [counted.arrives(b"GET /") for _ in range(3)]
    late = counted.connect(b"GET /")
    counted.ends(clients[0], 408)
    for client in (*clients[1:], late):
        client.sock.close()


def is_malformed(counted: Counted) -> None:
    counted.ends(counted.connect(b"GET / HTTP/1.1\nx\r\n\r\n"), 400)


def names_no_route(counted: Counted) -> None:
    counted.ends(counted.connect(request("/none")), 404)


def goes_on_after_its_answer(counted: Counted) -> None:
    client = counted.connect(request("/none"))
    counted.reactor.until(client.has_ended)
    assert counted.places.held == 1
    counted.pass_time(2.1)


def is_redirected(counted: Counted) -> None:
    counted.ends(counted.connect(request("/tls/x")), 308)


def finds_no_server(counted: Counted) -> None:
    counted.ends(counted.connect(request("/gone/x")), 502)


def finds_no_replica(counted: Counted) -> None:
    if counted.kind == "in-process":
        return
    client = counted.arrives(request("/away/x"))
    counted.pass_time(4.1)
    counted.ends(client, 503)


def finds_the_queue_full(counted: Counted) -> None:
    if counted.kind == "in-process":
        return
    clients = [counted.arrives(request("/away/x")) for _ in range(2)]
    counted.ends(counted.connect(request("/away/x")), 503)
    counted.pass_time(4.1)
    for client in clients:
        counted.ends(client, 503)


def is_served_and_leaves(counted: Counted) -> None:
    client = counted.connect()
    assert counted.deployment.ask(client, "/a/x").startswith("alpha /a/x ")
    assert counted.places.held == (0 if counted.kind == "handoff" else 1)
    client.sock.close()


def is_served_and_let_go(counted: Counted) -> None:
    client = counted.connect(request("/a/x", Connection="close"))
    counted.ends(client, 200)


def is_served_and_breaks_off(counted: Counted) -> None:
    client = counted.connect()
    counted.deployment.ask(client, "/a/x")
    reset(client.sock)


def goes_from_service_to_service(counted: Counted) -> None:
    client = counted.connect()
    for path in ("/a/x", "/b/x", "/a/y"):
        assert path in counted.deployment.ask(client, path)
        assert counted.places.held <= 1
    client.sock.send(request("/none"))
    counted.reactor.until(client.has_ended)
    client.sock.close()


def comes_by_tls(counted: Counted) -> None:
    client = TlsClient(counted.connect(b"", TLS).sock)
    client.until(counted.reactor, lambda: client.shaken)
    client.write(request("/a/x"))
    client.until(counted.reactor, lambda: client.data.endswith(b"."))
    assert counted.places.held == 1  # with handoff too: its bytes go through here
    assert counted.places.of("127.0.0.1") == 1
    client.write(request("/b/x"))
    client.until(counted.reactor, lambda: b"beta" in client.data)
    assert counted.places.held == 1
    client.say_goodbye()
    client.sock.close()


def fails_in_the_handshake(counted: Counted) -> None:
    client = counted.connect(b"no hello", TLS)
    counted.reactor.until(client.has_ended)
    client.sock.close()


def is_late_with_the_handshake(counted: Counted) -> None:
    client = counted.arrives(TlsClient(socket.socket()).hello()[:10], TLS)
    counted.pass_time(6.1)
    counted.ends(client)


def is_one_tls_client_too_many(counted: Counted) -> None:
    hello = TlsClient(socket.socket()).hello()[:10]
    clients = [counted.arrives(hello, TLS) for _ in range(2)]
    counted.ends(counted.connect(hello, TLS))
    for client in clients:
        client.sock.close()


def is_named_by_a_sender(counted: Counted) -> None:
    client = counted.arrives(b"", PROXY)
    assert counted.places.of("127.0.0.1") == 0
    client.sock.send(encode_v2(SOURCE, ("198.51.100.1", 80)) + b"GET /")
    counted.reactor.until(lambda: counted.places.of(SOURCE[0]) == 1)
    client.sock.close()


def is_a_sender_that_speaks_for_itself(counted: Counted) -> None:
    client = counted.arrives(b"PROXY UNKNOWN\r\nGET /", PROXY)
    assert (counted.places.of("127.0.0.1"), counted.places.held) == (0, 1)
    client.sock.close()


def is_a_sender_without_a_header(counted: Counted) -> None:
    counted.ends(counted.connect(request("/a/x"), PROXY))


def is_a_late_sender(counted: Counted) -> None:
    client = counted.arrives(b"PROXY", PROXY)
    counted.pass_time(2.1)
    counted.ends(client)


def lives_when_the_router_drains(counted: Counted) -> None:
    silent, busy = counted.arrives(b""), counted.connect(request("/a/x", Content_Length="10") + b"01234")
    counted.reactor.settle()
    counted.deployment.stop()
    counted.pass_time(LAST_REQUESTS + 0.1)
    counted.reactor.until(silent.has_ended)
    busy.sock.send(b"56789")
    counted.reactor.until(lambda: busy.has_ended() or busy.data.endswith(b"."))
    for client in (silent, busy):
        client.sock.close()
    counted.pass_time(2.1)


def is_cut_when_the_drain_is_over(counted: Counted) -> None:
    client = counted.connect(request("/a/x", Content_Length="10") + b"01234")
    counted.reactor.settle()
    counted.deployment.stop()
    counted.pass_time(7.0)
    if counted.kind != "handoff":
        counted.reactor.until(client.has_ended)
    client.sock.close()


def finds_the_replica_dead(counted: Counted) -> None:
    if counted.kind != "handoff":
        return
    (link,) = counted.deployment.application._services["alpha"].target._links.values()  # type: ignore[attr-defined]
    link._hear = lambda message: None  # as if the replica never said TAKEN
    client = counted.arrives(request("/a/x"))
    del link._hear
    counted.deployment.replica("alpha", replica="two")
    link.revoke()
    counted.reactor.until(lambda: client.read().endswith(b"."))
    client.sock.close()


WAYS = [
    leaves_without_a_word,
    leaves_in_the_head,
    breaks_off_in_the_head,
    is_silent_until_the_deadline,
    is_late,
    makes_room_for_others,
    is_malformed,
    names_no_route,
    goes_on_after_its_answer,
    is_redirected,
    finds_no_server,
    finds_no_replica,
    finds_the_queue_full,
    is_served_and_leaves,
    is_served_and_let_go,
    is_served_and_breaks_off,
    goes_from_service_to_service,
    comes_by_tls,
    fails_in_the_handshake,
    is_late_with_the_handshake,
    is_one_tls_client_too_many,
    is_named_by_a_sender,
    is_a_sender_that_speaks_for_itself,
    is_a_sender_without_a_header,
    is_a_late_sender,
    lives_when_the_router_drains,
    is_cut_when_the_drain_is_over,
    finds_the_replica_dead,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_client_that(counted: Counted, way: Callable[[Counted], None]) -> None:
    way(counted)
    counted.nothing_is_left()


def test_all_ways_at_once(counted: Counted) -> None:
    """One after the other on one router, so that nothing small adds up."""
    for way in WAYS:
        if way not in (lives_when_the_router_drains, is_cut_when_the_drain_is_over, finds_the_replica_dead):
            way(counted)
            counted.pass_time(3.0)
    counted.nothing_is_left()


def test_each_client_has_so_many_and_a_reload_changes_it(counted: Counted) -> None:
    deployment = counted.deployment
    counted.reload("client_connections = 2")
    clients = [counted.arrives(b"GET /") for _ in range(2)]
    counted.ends(counted.connect(request("/a/x")), 429)
    counted.ends(counted.connect(b"", TLS))
    named = counted.connect(encode_v2(SOURCE, ("198.51.100.1", 80)), PROXY)
    assert deployment.ask(named, "/a/x").startswith("alpha ")  # another client, and its sender does not count
    counted.reload()
    third = counted.arrives(b"GET /")
    counted.reload("client_connections = 2")
    clients.pop().sock.close()
    counted.reactor.until(lambda: counted.places.of("127.0.0.1") == 2)
    counted.ends(counted.connect(request("/a/x")), 429)  # those from between count too
    for client in (*clients, third, named):
        client.sock.close()
    counted.nothing_is_left()


def test_when_all_places_are_taken_the_next_wait_and_lose_nothing(counted: Counted) -> None:
    deployment, places = counted.deployment, counted.places
    counted.reload("connections = 2")
    holding = [counted.arrives(b"GET /") for _ in range(2)]
    waiting = [counted.connect(request("/a/x", Connection="close")) for _ in range(5)]
    counted.reactor.settle()
    assert places.held == 2
    assert deployment.application.status()["pauses"] == {"connections": 1}
    assert not any(client.read() for client in waiting)
    holding.pop().sock.close()
    for client in waiting:
        counted.ends(client, 200)
    holding.pop().sock.close()
    counted.nothing_is_left()


def test_a_reload_makes_room(counted: Counted) -> None:
    counted.reload("connections = 1")
    holding = counted.arrives(b"GET /")
    waiting = counted.connect(request("/a/x", Connection="close"))
    counted.reactor.settle()
    assert not waiting.read()
    counted.reload("connections = 2")
    counted.ends(waiting, 200)
    holding.sock.close()


def test_a_drain_lets_in_what_waits_for_room(counted: Counted) -> None:
    counted.reload("connections = 1")
    holding = counted.arrives(b"GET /a/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n")
    waiting = counted.connect(request("/a/x", Connection="close"))
    counted.reactor.settle()
    counted.deployment.stop()
    if counted.kind == "handoff":  # the others serve no new request any more
        counted.ends(waiting, 200)
    counted.reactor.until(waiting.has_ended)
    waiting.sock.close()
    holding.sock.close()


def test_status_says_how_many(counted: Counted) -> None:
    client = counted.arrives(b"GET /")
    assert counted.deployment.application.status()["held"] == 1
    assert counted.deployment.application.report().held == 1
    client.sock.close()
