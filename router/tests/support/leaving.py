"""Every way out of the router that a client can take."""

import socket

from portico.core.proxyprotocol import encode_v2
from portico.targets.split import LAST_REQUESTS

from .counted import PROXY, SOURCE, TLS, Counted
from .deployment import request
from .tlsclient import TlsClient
from .wires import reset


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
