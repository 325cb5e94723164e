"""One tcp service, request by request: much data both ways."""

import os
import socket

import pytest
from portico import flow
from portico.flow import PIPE_SIZE, SMALL

from .support.resting import counted, sleeping
from .support.splitrig import OK, Rig, deliver, get, pass_through, post, sent


def chunks(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("chunk", [0, 100_000, 3_000_000])
def test_a_large_response(rig: Rig, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spliced = count_spliced(monkeypatch)
    client = rig.connect(get())
    server = rig.accept()
    body = os.urandom(10 << 20)
    framed = chunks(body, chunk) if chunk else body
    field = b"Transfer-Encoding: chunked" if chunk else b"Content-Length: %d" % len(body)
    wire = b"HTTP/1.1 200 OK\r\n" + field + b"\r\n\r\n" + framed
    pass_through(rig, server, client, wire)
    assert sum(spliced) > len(body) // 4
    client.data = server.data = b""
    rig.reactor.settle()
    server.read()
    server.data = b""
    rig.exchange(client, server, get(b"/a/2"))


@pytest.mark.parametrize("fast", [True, False])
def test_a_connection_that_may_hold_much_is_not_for_others(rig: Rig, monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr(flow, "FAST", 1 << 20 if fast else 1 << 30)
    client = rig.connect(get())
    server = rig.accept()
    body = os.urandom(8 << 20)
    pass_through(rig, server, client, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    server.data = client.data = b""
    rig.reactor.settle()
    server.read()
    server.data = b""
    if fast:
        rig.ends(server)
        client.sock.send(get(b"/a/2"))
        server = rig.accept()
        rig.reactor.until(server.holds(b"\r\n\r\n"))
        server.sock.send(OK)
        rig.expect(client, OK)
    else:
        rig.exchange(client, server, get(b"/a/2"))


def test_one_that_has_rested_must_show_anew_that_it_is_fast(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a client has had in the course of days says nothing of how fast it takes it."""
    monkeypatch.setattr(flow, "FAST", 6 << 20)
    with counted(rig):
        client = rig.connect(get())
        server = rig.accept()
        body = os.urandom(4 << 20)
        wire = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        for path in (b"/a/1", b"/a/2"):
            rig.expect(server, sent(get(path)))
            pass_through(rig, server, client, wire)
            client.data = b""
            if path == b"/a/1":
                (session,) = rig.target._split._sessions
                session.down.fast_at = session.down.moved + flow.FAST  # as it has been waited for
                sleeping(rig, 1)
                client.sock.send(get(b"/a/2"))
                server = rig.accept()
        (session,) = rig.target._split._sessions
        assert session.down.moved == 2 * len(wire)
        assert session.down.fast_at > session.down.moved
        rig.exchange(client, server, get(b"/a/3"))  # the server's connection is kept


@pytest.mark.parametrize("chunk", [0, 3_000_000])
def test_a_large_request(rig: Rig, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spliced = count_spliced(monkeypatch)
    body = os.urandom(10 << 20)
    framed = chunks(body, chunk) if chunk else body
    head = post(b"Transfer-Encoding: chunked" if chunk else b"Content-Length: %d" % len(body))
    client = rig.connect(head)
    server = rig.accept()
    rig.reactor.until(server.holds(b"\r\n\r\n"))
    server.data = b""
    pass_through(rig, client, server, framed)
    assert sum(spliced) > len(body) // 4
    server.data = b""
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.exchange(client, server, get(b"/a/2"))


def count_spliced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    moved: list[int] = []
    splice = os.splice

    def counted(source: int, sink: int, count: int, at: None = None, to: None = None, flags: int = 0) -> int:
        got = splice(source, sink, count, at, to, flags)
        moved.append(got)
        return got

    monkeypatch.setattr(os, "splice", counted)
    return moved


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_slow_reader_pauses_the_other_side(rig: Rig, way: str) -> None:
    body = os.urandom(8 << 20)
    client = rig.connect(get() if way == "down" else post(b"Content-Length: %d" % len(body)))
    server = rig.accept()
    rig.reactor.until(server.holds(b"\r\n\r\n"))
    server.data = b""
    (session,) = rig.target._split._sessions
    backend = session._backend
    assert backend is not None
    for sock in (client.sock, server.sock, backend.sock, session._arrival.sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    sender, reader, held = (server, client, session.down) if way == "down" else (client, server, backend.up)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) if way == "down" else b""
    view = deliver(rig, sender, head + body)
    taken = len(head) + len(body) - len(view)
    assert taken < 4 << 20  # four buffers and a pipe, and not the 8 MiB
    rig.reactor.until(lambda: held.held)  # what was sent before the buffers shrank may have to be sent again
    assert len(held._pending) <= SMALL
    assert held._in_pipe <= PIPE_SIZE
    rig.reactor.settle()  # it waits without spinning
    while view or len(reader.read()) < len(head) + len(body):
        try:
            view = view[sender.sock.send(view[: 1 << 18]) :]
        except BlockingIOError:
            reader.read()
        rig.reactor.turn(0)
    assert reader.data == head + body


def test_a_slow_reader_and_a_server_that_ends(rig: Rig) -> None:
    """All that the server said arrives, though it has long gone."""
    client = rig.connect(get())
    server = rig.accept()
    body = os.urandom(1 << 20)
    wire = b"HTTP/1.1 200 OK\r\n\r\n" + body
    deliver(rig, server, wire)
    server.read()
    server.sock.close()
    rig.reactor.settle()
    assert rig.ends(client) == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body


def test_without_descriptors_for_a_pipe_bulk_is_copied(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(flags: int) -> tuple[int, int]:
        raise OSError(24, "too many open files")

    monkeypatch.setattr(os, "pipe2", refuse)
    client = rig.connect(get())
    server = rig.accept()
    body = os.urandom(4 << 20)
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    pass_through(rig, server, client, wire)
