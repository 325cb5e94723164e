"""One tcp service, request by request: how the connections to its server are made."""

import socket

from portico.config import Limits
from portico.core.answers import BAD_GATEWAY, GATEWAY_TIMEOUT

from .support.splitrig import OK, Rig, get, post, sent
from .support.wires import reset


def test_nobody_accepts(rig: Rig) -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        rig.target.stop()
        rig.make(at=refusing.getsockname())
        client = rig.connect(get())
        assert rig.ends(client) == b""
    assert rig.answers.kinds == [BAD_GATEWAY]


def full_listener() -> tuple[socket.socket, list[socket.socket]]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        waiting.append(sock)
    return listener, waiting


def test_nobody_accepts_in_time(rig: Rig) -> None:
    listener, waiting = full_listener()
    rig.target.stop()
    rig.make(at=listener.getsockname(), connect_timeout=2.0)
    client = rig.connect(post(b"Content-Length: 5"))
    client.sock.send(b"hello")
    rig.reactor.settle()  # the body waits in the kernel, and nothing spins
    rig.reactor.advance(2.1)
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [GATEWAY_TIMEOUT]
    for sock in (listener, *waiting):
        sock.close()


def test_a_client_that_leaves_while_it_is_connected_through(rig: Rig) -> None:
    listener, waiting = full_listener()
    rig.target.stop()
    rig.make(at=listener.getsockname())
    client = rig.connect(get())
    assert rig.loads == [1]
    reset(client.sock)
    rig.reactor.until(lambda: rig.loads == [0])
    for sock in (listener, *waiting):
        sock.close()


def test_sessions_count_as_tunnels(rig: Rig) -> None:
    rig.target.stop()
    rig.make(Limits(tunnels=1))
    first = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    second = rig.connect(get(b"/a/2"))
    assert rig.service.queued == 1
    server.sock.send(OK)
    rig.expect(first, OK)
    first.sock.close()
    rig.expect(server, sent(get(b"/a/2")))
    second.sock.close()


def test_a_service_that_lost_its_addresses_sends_the_request_back(rig: Rig) -> None:
    client = rig.connect(get())
    rig.accept().sock.send(OK)
    rig.expect(client, OK)
    rig.target.replicas.found([])
    client.sock.send(get(b"/a/2"))
    rig.reactor.until(lambda: rig.returned)
    assert rig.returned[0].preface == get(b"/a/2")
    rig.target.replicas.found([rig.at])
