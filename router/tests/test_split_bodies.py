"""One tcp service, request by request: what requests carry."""

import pytest
from portico.core.answers import BAD_FRAMING, BAD_HOST

from .support.splitrig import FORWARDED, OK, Rig, get, post, sent


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
