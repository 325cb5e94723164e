"""One tcp service, request by request: what requests carry, and much data both ways."""

import os
import socket

import pytest
from portico.core.answers import BAD_FRAMING, BAD_HOST
from portico.flow import PIPE_SIZE, SMALL

from .support.splitrig import FORWARDED, OK, Rig, deliver, get, pass_through, post, sent

# -- request bodies


@pytest.mark.parametrize("step", [1, 4, 10_000])
@pytest.mark.parametrize(
    ("field", "body"),
    [
        (b"Content-Length: 11", b"hello world"),
        (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n6;x\r\n world\r\n0\r\nX: y\r\n\r\n"),
    ],
)
def test_a_request_body_in_pieces(rig: Rig, field: bytes, body: bytes, step: int) -> None:
    head = post(field)
    client = rig.connect(head + body[:2])
    server = rig.accept()
    rest = body[2:] + get(b"/a/next")
    for at in range(0, len(rest), step):
        client.sock.send(rest[at : at + step])
        rig.reactor.settle()
    expected = sent(head)
    if b"chunked" in field:
        line = field + b"\r\n"
        expected = expected.replace(line, b"").replace(FORWARDED, line + FORWARDED)
    rig.expect(server, expected + body)
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.expect(server, sent(get(b"/a/next")))


def test_expect_100_continue(rig: Rig) -> None:
    head = post(b"Content-Length: 4", b"Expect: 100-continue")
    client = rig.connect(head)
    server = rig.accept()
    rig.expect(server, sent(head))
    server.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    rig.expect(client, b"HTTP/1.1 100 Continue\r\n\r\n")
    client.sock.send(b"body")
    rig.expect(server, b"body")
    server.sock.send(OK)
    rig.expect(client, OK)
    assert rig.idle == 1


def test_an_answer_before_the_request_is_whole_is_the_last_one(rig: Rig) -> None:
    client = rig.connect(post(b"Content-Length: 1000000", body=b"some"))
    server = rig.accept()
    answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    server.sock.send(answer)
    rig.expect(client, answer.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    rig.reactor.until(server.has_ended)
    for _ in range(5):  # still sending: read away, so that the answer is not eaten by a reset
        client.sock.send(b"x" * 1000)
        rig.reactor.settle()
    assert rig.ends(client) == b""
    assert not client.reset
    client.sock.close()
    rig.reactor.settle()
    assert rig.idle == 0


def test_a_server_that_answers_and_resets_while_the_body_comes(rig: Rig) -> None:
    client = rig.connect(post(b"Content-Length: 100000000", body=b"some"))
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    server.sock.close()  # with unread bytes: a reset follows
    for _ in range(10):
        try:
            client.sock.send(b"x" * 10_000)
        except OSError:
            break
    rig.reactor.until(client.has_ended)
    assert client.data.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("fields", "body", "answer"),
    [
        ((b"Content-Length: 5", b"Content-Length: 5"), b"hello", BAD_FRAMING),
        ((b"Content-Length: 5", b"Transfer-Encoding: chunked"), b"0\r\n\r\n", BAD_FRAMING),
        ((b"Transfer-Encoding: chunked",), b"5\nhello\n0\n\n", BAD_FRAMING),
        ((b"Transfer-Encoding: x",), b"", BAD_FRAMING),
        ((b"Host: other",), b"", BAD_HOST),
    ],
)
@pytest.mark.parametrize("kept", [False, True], ids=["first", "kept"])
def test_an_ambiguous_request_is_refused_and_never_forwarded(
    rig: Rig, fields: tuple[bytes, ...], body: bytes, answer: object, kept: bool
) -> None:
    wire = post(*fields, body=body)
    if kept:
        client = rig.connect(get())
        server = rig.accept()
        rig.expect(server, sent(get()))
        server.sock.send(OK)
        rig.expect(client, OK)
        client.sock.send(wire)
    else:
        client = rig.connect(wire)
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [answer]
    assert rig.no_more_connections()
    assert not kept or server.read() == b""


def test_an_absolute_target_for_another_host_is_refused(rig: Rig) -> None:
    rig.connect(get(b"http://other/a/1"))
    assert rig.answers.kinds == [BAD_HOST]
    client = rig.connect(get(b"http://h/a/1"))
    rig.expect(rig.accept(), sent(get(b"http://h/a/1")))
    client.sock.close()


def test_a_chunk_that_turns_bad_later(rig: Rig) -> None:
    client = rig.connect(post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"))
    server = rig.accept()
    rig.reactor.until(server.holds(b"hello\r\n"))
    client.sock.send(b"0\r\nContent-Length: 5\r\n\r\n")
    rig.reactor.until(client.has_ended)
    assert rig.answers.kinds == [BAD_FRAMING]
    assert rig.ends(server).endswith(b"hello\r\n")


def test_a_client_that_leaves_within_its_body(rig: Rig) -> None:
    client = rig.connect(post(b"Content-Length: 10", body=b"some"))
    server = rig.accept()
    rig.reactor.until(server.holds(b"some"))
    client.sock.close()
    rig.reactor.until(server.has_ended)
    assert rig.logged.lines[0]["ended"] == "CH"


# -- bulk


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

    def counted(source: int, sink: int, count: int, **kw: int) -> int:
        got = splice(source, sink, count, **kw)
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
    sender, reader, flow = (server, client, session.down) if way == "down" else (client, server, backend.up)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) if way == "down" else b""
    view = deliver(rig, sender, head + body)
    taken = len(head) + len(body) - len(view)
    assert taken < 4 << 20  # four buffers and a pipe, and not the 8 MiB
    assert flow.held
    assert len(flow._pending) <= SMALL
    assert flow._in_pipe <= PIPE_SIZE
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
