"""One tcp service, request by request: over real sockets, with a server whose every word the test says itself."""

import contextlib
import gc
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import twisted.internet.reactor  # noqa: F401  # has sockets of its own, from its import on
from portico.arrival import Arrival
from portico.config import Limits, Tcp
from portico.core.answers import (
    BAD_FRAMING,
    BAD_GATEWAY,
    BAD_HOST,
    BAD_RESPONSE,
    GATEWAY_TIMEOUT,
    NO_RESPONSE,
)
from portico.core.clienthello import TlsFacts
from portico.flow import PIPE_SIZE, SMALL
from portico.linger import LINGER_TIME
from portico.poller import Poller
from portico.pump import Pipes
from portico.service import RoutedService
from portico.targets.session import PIPELINED
from portico.targets.split import LAST_REQUESTS, SWEEP_INTERVAL, TARGET_KEPT, TARGETS_KEPT
from portico.targets.tcp import TcpTarget
from svckit.lease import Ownership

from .support.reactor import HandReactor
from .support.wires import Answers, Inbox, Logged, arrive, as_reactor, inline_resolver, reset

PATTERNS = (("/a/", True), ("/b/", False))
FORWARDED = b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def get(path: bytes = b"/a/1", *fields: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    lines = b"".join(field + b"\r\n" for field in (b"Host: h", *fields))
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, path, version, lines)


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return get(b"/a/post", *fields, method=b"POST") + body


def sent(wire: bytes) -> bytes:
    """A request without hop-by-hop fields as the server gets it."""
    head, _, body = wire.partition(b"\r\n\r\n")
    return head + b"\r\n" + FORWARDED + b"\r\n" + body


class Rig:
    """A target, its server, and what comes out of it."""

    def __init__(self, reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> None:
        self.reactor, self.poller, self.logged, self.answers = reactor, poller, logged, answers
        self.pipes = Pipes()
        self.returned: list[Arrival] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.at: tuple[str, int] = self.listener.getsockname()
        self.sockets: list[socket.socket] = [self.listener]
        self.make()

    def make(self, limits: Limits | None = None, at: tuple[str, int] | None = None, **settings: object) -> None:
        tcp = Tcp("{}:{}".format(*(at or self.at)), **settings)  # type: ignore[arg-type]
        self.limits = limits or Limits()
        reactor = as_reactor(self.reactor)
        self.service = RoutedService("a", self.limits, reactor, self.answers)
        self.target = TcpTarget(
            self.service,
            tcp,
            self.limits,
            self.poller,
            self.pipes,
            reactor,
            self.answers,
            self.logged.log,
            Ownership(PATTERNS),
            self.returned.append,
            inline_resolver(reactor),
        )
        self.service.target = self.target
        self.target.start()

    def connect(self, first: bytes) -> Inbox:
        """A client whose first bytes are `first`."""
        client, arrival = arrive(first)
        self.sockets.append(client)
        assert arrival.head is not None
        self.service.put_through(arrival)
        return Inbox(client)

    def accept(self) -> Inbox:
        """The server's end of the next connection to it."""
        came: list[socket.socket] = []

        def accepted() -> bool:
            try:
                came.append(self.listener.accept()[0])
            except BlockingIOError:
                return False
            return True

        self.reactor.until(accepted)
        self.sockets += came
        came[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Inbox(came[0])

    def no_more_connections(self) -> bool:
        self.reactor.settle()
        try:
            self.sockets.append(self.listener.accept()[0])
        except BlockingIOError:
            return True
        return False

    def expect(self, inbox: Inbox, data: bytes) -> None:
        """Wait until `inbox` has exactly `data`, and forget it."""
        self.reactor.until(lambda: len(inbox.read()) >= len(data) or inbox.ended)
        assert inbox.data == data
        inbox.data = b""

    def ends(self, inbox: Inbox) -> bytes:
        """Wait for the end; what came before it."""
        self.reactor.until(inbox.has_ended)
        return inbox.data

    def exchange(self, client: Inbox, server: Inbox, request: bytes, answer: bytes = OK) -> None:
        """One more exchange on connections that are there."""
        server.read()
        server.data = b""
        client.sock.send(request)
        self.expect(server, sent(request))
        server.sock.send(answer)
        self.expect(client, answer)

    @property
    def idle(self) -> int:
        """Connections in the pool."""
        return len(self.target._split.pool)

    @property
    def loads(self) -> list[int]:
        replicas = self.target.status()["replicas"]
        assert isinstance(replicas, list)
        return [replica["open"] for replica in replicas]

    def close(self) -> None:
        self.target.stop()
        self.target._cut()
        for sock in self.sockets:
            sock.close()
        self.reactor.advance(60)
        self.pipes.close()


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> Iterator[Rig]:
    before = open_sockets()
    rig = Rig(reactor, poller, logged, answers)
    yield rig
    rig.close()
    for arrival in rig.returned:
        arrival.close()
    assert rig.loads == [0]
    assert open_sockets() == before


def open_sockets() -> int:
    """Sockets and pipes that this process has; those that earlier tests have left to the garbage collector do not count."""
    gc.collect()
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them
            found += link.readlink().name.startswith(("socket:", "pipe:"))
    return found


# -- one exchange after the other


def test_requests_share_one_connection_to_the_server(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    assert rig.loads == [1]
    server.sock.send(OK)
    rig.expect(client, OK)
    assert rig.loads == [0]
    for number in range(3):
        rig.exchange(client, server, get(b"/a/%d" % number, b"X: %d" % number))
    assert rig.no_more_connections()
    client.sock.close()
    rig.reactor.settle()
    (line,) = rig.logged.lines
    assert (line["how"], line["ended"], line["replica"]) == ("tcp", "--", "{}:{}".format(*rig.at))
    assert line["down"] == 4 * len(OK)
    assert line["up"] == len(sent(get())) + 3 * len(sent(get(b"/a/0", b"X: 0")))


def test_clients_share_the_pool(rig: Rig) -> None:
    first = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    second = rig.connect(get(b"/a/2"))
    other = rig.accept()  # the first is busy
    rig.expect(other, sent(get(b"/a/2")))
    server.sock.send(OK)
    other.sock.send(OK)
    rig.expect(first, OK)
    rig.expect(second, OK)
    assert rig.idle == 2
    third = rig.connect(get(b"/a/3"))
    rig.reactor.until(lambda: server.read() or other.read())
    assert rig.no_more_connections()
    third.sock.close()


@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_a_response_in_pieces_goes_through_as_it_comes(rig: Rig, step: int) -> None:
    client = rig.connect(get())
    server = rig.accept()
    wire = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire += b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"
    for at in range(0, len(wire), step):
        server.sock.send(wire[at : at + step])
        rig.reactor.settle()
    rig.expect(client, wire)
    rig.exchange(client, server, get(b"/a/2"))
    assert rig.idle == 1


def test_a_response_begins_before_it_is_whole(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na")
    rig.expect(client, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na")
    assert rig.idle == 0
    server.sock.send(b"bc")
    rig.expect(client, b"bc")
    assert rig.idle == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
    ],
)
def test_responses_without_a_body(rig: Rig, answer: bytes) -> None:
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    server.sock.send(answer)
    rig.expect(client, answer)
    rig.exchange(client, server, get(b"/a/2"))


def test_head_has_no_body(rig: Rig) -> None:
    client = rig.connect(get(method=b"HEAD"))
    server = rig.accept()
    rig.expect(server, sent(get(method=b"HEAD")))
    for coding in (b"Content-Length: 1000", b"Transfer-Encoding: chunked"):
        answer = b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % coding
        server.sock.send(answer)
        rig.expect(client, answer)
        client.sock.send(get(method=b"HEAD"))
        rig.expect(server, sent(get(method=b"HEAD")))


def test_hop_by_hop_fields_end_here(rig: Rig) -> None:
    client = rig.connect(get(b"/a/1", b"Connection: keep-alive, X-Mine", b"X-Mine: 1", b"Keep-Alive: 9"))
    server = rig.accept()
    rig.expect(server, sent(get()))
    server.sock.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nKeep-Alive: 9\r\nContent-Length: 2\r\n\r\nok")
    rig.expect(client, OK)
    assert rig.ends(server) == b""  # it said close
    client.sock.send(get(b"/a/2"))  # and the client's connection goes on
    rig.expect(rig.accept(), sent(get(b"/a/2")))


def test_tls_that_ended_in_the_router_is_told_and_remembered(rig: Rig) -> None:
    client, arrival = arrive(get())
    rig.sockets.append(client)
    arrival.tls_facts = TlsFacts(b"h", ())
    rig.service.put_through(arrival)
    server = rig.accept()
    rig.expect(server, sent(get()).replace(b"Proto: http", b"Proto: https"))
    server.sock.send(OK)
    client.send(get(b"/b/1"))
    rig.reactor.until(lambda: rig.returned)
    assert rig.returned[0].tls_facts == arrival.tls_facts


def test_the_fields_of_each_request_are_its_own(rig: Rig) -> None:
    client = rig.connect(get(b"/a/1", b"X-Forwarded-For: 1.1.1.1"))
    server = rig.accept()
    rig.expect(server, sent(get()).replace(b"For: ", b"For: 1.1.1.1, "))
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.exchange(client, server, get(b"/a/1", b"X: 1"))
    rig.exchange(client, server, get(b"/a/2", b"X: 1"))
    rig.exchange(client, server, get(b"/a/2", b"X: 2"))


# -- how connections end


def test_a_client_that_wants_to_close_leaves_the_servers_connection_open(rig: Rig) -> None:
    first = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(first, OK)
    rig.expect(server, sent(get()))
    for number in range(3):
        client = rig.connect(get(b"/a/%d" % number, b"Connection: close"))
        rig.expect(server, sent(get(b"/a/%d" % number)))
        server.sock.send(OK)
        assert rig.ends(client) == OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        assert not client.reset
    assert rig.idle == 1
    assert [line["ended"] for line in rig.logged.lines] == ["--"] * 3


def test_a_client_of_http_1_0(rig: Rig) -> None:
    client = rig.connect(get(version=b"1.0"))
    server = rig.accept()
    rig.expect(server, sent(get(version=b"1.0")))
    server.sock.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nall")
    server.sock.close()
    assert rig.ends(client) == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall"


def test_http_1_0_does_not_know_chunks(rig: Rig) -> None:
    rig.connect(get(version=b"1.0"))
    rig.accept().sock.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    rig.reactor.settle()
    assert rig.answers.kinds == [BAD_RESPONSE]


def test_a_body_until_the_end(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nsome")
    rig.expect(client, b"HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nsome")
    server.read()
    server.sock.send(b"more")
    server.sock.close()
    assert rig.ends(client) == b"more"
    assert not client.reset


def test_a_body_until_the_end_that_is_reset(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
    rig.reactor.until(client.holds(b"some"))
    reset(server.sock)
    rig.reactor.until(client.has_ended)
    assert client.reset  # nothing else tells the client that this is not all


@pytest.mark.parametrize("begun", [b"Content-Length: 9\r\n\r\nsome", b"Transfer-Encoding: chunked\r\n\r\n9\r\nsome"])
@pytest.mark.parametrize("ending", [socket.socket.close, reset], ids=["close", "reset"])
def test_a_server_that_ends_within_a_response(rig: Rig, begun: bytes, ending: Callable[[socket.socket], None]) -> None:
    client = rig.connect(get())
    server = rig.accept()
    wire = b"HTTP/1.1 200 OK\r\n" + begun
    server.sock.send(wire)
    rig.reactor.until(client.holds(b"some"))
    server.read()
    ending(server.sock)
    assert rig.ends(client) == wire  # no 502 in the middle of it, no last chunk
    assert rig.logged.lines[0]["ended"] == "SD"
    assert rig.idle == 0


def test_a_malformed_chunk_in_a_response_breaks_it_off(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    rig.reactor.until(client.holds(b"hello"))
    server.sock.send(b"0x5\r\nworld\r\n0\r\n\r\n")
    assert rig.ends(client).endswith(b"hello\r\n")


BAD_ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\nX: y\r\n folded\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"SSH-2.0-OpenSSH\r\n",
    b"HTTP/2 200\r\n\r\n",
]


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_a_malformed_response_is_not_passed_on(rig: Rig, answer: bytes) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.read()
    server.sock.send(answer)
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [BAD_RESPONSE]
    rig.reactor.until(server.has_ended)
    assert rig.idle == 0


def test_more_than_the_response_spoils_the_connection(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK + b"HTTP/1.1 200 OK\r\n")
    rig.expect(client, OK)
    rig.reactor.until(server.has_ended)
    client.sock.send(get(b"/a/2"))
    rig.expect(rig.accept(), sent(get(b"/a/2")))


def test_a_204_with_a_length_spoils_the_connection(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n")
    rig.reactor.until(client.holds(b"\r\n\r\n"))
    assert rig.idle == 0


def test_an_unasked_word_on_an_idle_connection_ends_it(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    server.sock.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    rig.reactor.until(server.has_ended)
    assert rig.idle == 0
    assert client.read() == b""


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


# -- pipelining and half-close


def test_pipelined_requests_are_answered_in_order(rig: Rig) -> None:
    paths = [b"/a/%d" % number for number in range(5)]
    client = rig.connect(b"".join(map(get, paths)))
    server = rig.accept()
    for path in paths:
        rig.expect(server, sent(get(path)))
        assert rig.no_more_connections()
        server.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + path)
    rig.reactor.until(lambda: client.read().count(b"HTTP/1.1") == 5)
    assert [client.data.index(path) for path in paths] == sorted(client.data.index(path) for path in paths)


def test_what_is_pipelined_has_a_limit(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    client.sock.setblocking(False)
    more = get(b"/a/2", b"X: " + b"x" * 1000)
    pushed = 0
    for _ in range(20_000):
        try:
            pushed += client.sock.send(more)
        except BlockingIOError:
            break
        rig.reactor.turn(0)
    else:
        raise AssertionError("everything was taken")
    (session,) = rig.target._split._sessions
    assert PIPELINED <= len(session._buffer) <= PIPELINED + SMALL
    rig.reactor.settle()
    rig.expect(server, sent(get()))
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.expect(server, sent(more))


def test_a_half_closed_client_gets_its_answers(rig: Rig) -> None:
    client = rig.connect(get() + get(b"/a/2"))
    server = rig.accept()
    client.sock.shutdown(socket.SHUT_WR)
    for path in (b"/a/1", b"/a/2"):
        rig.expect(server, sent(get(path)))
        rig.reactor.settle()  # and nothing spins meanwhile
        server.sock.send(OK)
    assert rig.ends(client) == OK + OK
    assert rig.idle == 1


def test_an_answer_to_a_client_that_has_gone(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    reset(client.sock)
    rig.reactor.until(server.has_ended)
    assert rig.loads == [0]
    assert rig.logged.lines[0]["ended"] == "CH"


# -- the next request is somebody else's


def test_a_foreign_request_goes_back_to_the_router(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    foreign = get(b"/b/1", b"Content-Length: 4", method=b"POST") + b"bo"
    client.sock.send(foreign)
    rig.reactor.settle()
    assert not rig.returned  # before the answer is out
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.reactor.until(lambda: rig.returned)
    (arrival,) = rig.returned
    assert arrival.preface == foreign
    assert arrival.returned
    assert arrival.client == client.sock.getsockname()
    arrival.sock.send(b"still open")
    rig.expect(client, b"still open")
    assert (rig.idle, rig.loads) == (1, [0])
    assert rig.logged.lines[0]["ended"] == "--"


def test_the_same_request_again_after_the_routes_have_changed(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    for _ in range(3):
        rig.exchange(client, server, get())
    rig.target.tell((("/a/", False), ("/b/", True)))
    client.sock.send(get())
    rig.reactor.until(lambda: rig.returned)
    assert rig.returned[0].preface == get()


def test_a_first_request_that_the_paths_do_not_give_us_says_nothing_of_the_next(rig: Rig) -> None:
    """It came by a default route, say; whether the same one comes here again is the router's to decide."""
    client = rig.connect(get(b"/b/1"))
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    client.sock.send(get(b"/b/1"))
    rig.reactor.until(lambda: rig.returned)
    assert rig.returned[0].preface == get(b"/b/1")


def test_targets_that_are_known_to_be_ours_are_bounded(rig: Rig) -> None:
    split = rig.target._split
    for number in range(3 * TARGETS_KEPT):
        assert split.owns(b"/a/%d" % number)
        assert split.owns(b"/a/%d" % number)
        assert len(split._ours) <= TARGETS_KEPT
    long = b"/a/" + b"x" * TARGET_KEPT
    assert split.owns(long)
    assert long not in split._ours
    for foreign in (b"/b/1", b"/a/%zz"):
        assert not split.owns(foreign)
        assert not split.owns(foreign)


def test_a_foreign_request_waits_for_a_slow_reader(rig: Rig) -> None:
    client = rig.connect(get() + get(b"/b/1"))
    server = rig.accept()
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 20) + os.urandom(1 << 20)
    (session,) = rig.target._split._sessions
    session._arrival.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    rest = deliver(rig, server, wire)
    assert not rig.returned
    assert session.down.held
    while not rig.returned:
        rest = rest[server.sock.send(rest) :] if rest else rest
        client.read()
        rig.reactor.turn(0.001)
    rig.reactor.until(lambda: client.read() == wire)


@pytest.mark.parametrize("target", [b"a/2", b"/a/%zz", b"/a/../../x", b"/a/2#x", b"/a/%00", b"h:80"])
def test_a_target_without_meaning_is_refused_by_the_router(rig: Rig, target: bytes) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    client.sock.send(get(target))
    rig.reactor.until(lambda: rig.returned)
    rig.expect(server, sent(get()))


def test_odd_targets_of_ours_are_served(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    for target in (b"/a/%20", b"/a/./2", b"/x/../a/2", b"//a//2", b"/a/2?x=%zz", b"http://h/a/2"):
        rig.exchange(client, server, get(target))


@pytest.mark.parametrize(
    "next_", [b"GET /a/2 HTT", b"GET /a/2\r\n\r\n", b"GET /a/2 HTTP/1.1\nHost: h\n\n", b"\x16\x03\x01", b"\r\n"]
)
def test_a_head_that_is_not_whole_or_not_sound_goes_back_too(rig: Rig, next_: bytes) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    client.sock.send(next_)
    rig.reactor.until(lambda: rig.returned)
    assert rig.returned[0].preface == next_
    assert rig.returned[0].returned


def test_a_large_head_goes_back_too(rig: Rig) -> None:
    rig.target.stop()
    rig.make(Limits(head_size=300))
    client = rig.connect(get())
    rig.accept().sock.send(OK)
    rig.expect(client, OK)
    client.sock.send(get(b"/a/2", b"X: " + b"x" * 300))
    rig.reactor.until(lambda: rig.returned)


# -- the pool


def test_a_stale_connection_is_replaced_by_a_fresh_one_and_that_by_one_more(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.expect(server, sent(get()))
    client.sock.send(get(b"/a/2"))
    rig.expect(server, sent(get(b"/a/2")))  # the server ends as the request arrives
    server.sock.close()
    fresh = rig.accept()
    rig.expect(fresh, sent(get(b"/a/2")))
    fresh.sock.close()
    last = rig.accept()
    rig.expect(last, sent(get(b"/a/2")))
    last.sock.close()  # and that is enough
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (get(method=b"POST"), b""),
        (get(method=b"PATCH"), b""),
        (get(b"/a/2", b"Content-Length: 5", method=b"PUT") + b"he", b""),
        (get(), b"HTTP/1.1 2"),
        (get(), b"HTTP/1.1 103 X\r\n\r\n"),
    ],
    ids=["post", "patch", "body to come", "head begun", "interim"],
)
def test_what_is_not_tried_again(rig: Rig, request_: bytes, said: bytes) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.expect(server, sent(get()))
    client.sock.send(request_)
    rig.expect(server, sent(request_))
    server.sock.send(said)
    rig.reactor.settle()
    server.sock.close()
    rig.reactor.until(client.has_ended)
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def test_a_put_with_its_whole_body_is_tried_again(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.expect(server, sent(get()))
    put = get(b"/a/2", b"Content-Length: 5", method=b"PUT") + b"hello"
    client.sock.send(put)
    rig.expect(server, sent(put))
    reset(server.sock)
    fresh = rig.accept()
    rig.expect(fresh, sent(put))
    fresh.sock.send(OK)
    rig.expect(client, OK)


@pytest.mark.parametrize("how", [lambda sock: sock.close(), lambda sock: reset(sock)], ids=["end", "reset"])
def test_a_server_that_accepts_and_says_nothing_is_tried_once_more(rig: Rig, how: Callable[[socket.socket], None]) -> None:
    """As one does that stops: what was in its queue when it closed its port is never looked at."""
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    how(server.sock)
    other = rig.accept()
    rig.expect(other, sent(get()))
    other.sock.send(OK)
    rig.expect(client, OK)


def test_a_fresh_connection_is_tried_again_once(rig: Rig) -> None:
    client = rig.connect(get())
    for _ in range(2):
        server = rig.accept()
        rig.expect(server, sent(get()))
        server.sock.close()
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def test_a_post_on_a_fresh_connection_is_not_tried_again(rig: Rig) -> None:
    client = rig.connect(post(b"Content-Length: 0"))
    server = rig.accept()
    rig.expect(server, sent(post(b"Content-Length: 0")))
    server.sock.close()
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def reset_what_comes(rig: Rig, request_: bytes) -> None:
    """A server that has accepted, and stops."""
    server = rig.accept()
    rig.expect(server, sent(request_))
    reset(server.sock)


def test_a_fresh_connection_that_is_reset_is_tried_once_more(rig: Rig) -> None:
    """A server that stops resets what the kernel had accepted for it."""
    client = rig.connect(get())
    reset_what_comes(rig, get())
    fresh = rig.accept()
    rig.expect(fresh, sent(get()))
    fresh.sock.send(OK)
    rig.expect(client, OK)


def test_a_connection_that_is_reset_again_is_not_tried_again(rig: Rig) -> None:
    client = rig.connect(get())
    reset_what_comes(rig, get())
    reset_what_comes(rig, get())
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def test_a_post_whose_connection_is_reset_is_not_tried_again(rig: Rig) -> None:
    client = rig.connect(get(method=b"POST"))
    reset_what_comes(rig, get(method=b"POST"))
    assert rig.ends(client) == b""
    assert rig.answers.kinds == [NO_RESPONSE]
    assert rig.no_more_connections()


def test_a_request_that_cannot_be_repeated_is_not_sent_into_the_void(rig: Rig) -> None:
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.expect(server, sent(get()))
    client.sock.send(post(b"Content-Length: 0"))
    server.sock.close()  # before the router looks at either
    fresh = rig.accept()
    rig.expect(fresh, sent(post(b"Content-Length: 0")))
    assert not rig.answers.kinds


def test_idle_connections_to_the_server_are_closed_in_time(rig: Rig) -> None:
    rig.target.stop()
    rig.make(idle_time=3.0)
    client = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.reactor.pump([SWEEP_INTERVAL] * 2)
    assert rig.idle == 1
    rig.reactor.pump([SWEEP_INTERVAL] * 2)
    assert rig.idle == 0
    assert rig.ends(server) == sent(get())
    assert not client.has_ended()


def test_the_pool_has_a_size(rig: Rig) -> None:
    rig.target.stop()
    rig.make(idle_connections=2)
    clients = [rig.connect(get()) for _ in range(4)]
    servers = [rig.accept() for _ in clients]
    for server in servers:
        rig.expect(server, sent(get()))
        server.sock.send(OK)
        rig.reactor.settle()
    for client in clients:
        rig.expect(client, OK)
    assert rig.idle == 2
    assert [server.has_ended() for server in servers] == [True, True, False, False]


def test_an_idle_client_is_closed_in_time(rig: Rig) -> None:
    rig.target.stop()
    rig.make(Limits(idle_timeout=5.0), idle_time=100.0)
    client = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    rig.reactor.pump([SWEEP_INTERVAL] * 10)  # a long exchange is not idle
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.reactor.pump([SWEEP_INTERVAL] * 4)
    rig.exchange(client, server, get())
    rig.reactor.pump([SWEEP_INTERVAL] * 4)
    assert not client.has_ended()
    rig.reactor.pump([SWEEP_INTERVAL] * 2)
    assert rig.ends(client) == b""
    assert rig.logged.lines[0]["ended"] == "cR"


# -- connecting


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


# -- another protocol

UPGRADE = get(b"/a/ws", b"Upgrade: websocket", b"Connection: upgrade")
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"


def test_an_upgrade_becomes_a_tunnel(rig: Rig) -> None:
    client = rig.connect(UPGRADE + b"early")
    server = rig.accept()
    expected = UPGRADE.replace(b"Connection: upgrade\r\n\r\n", b"Connection: upgrade\r\n" + FORWARDED + b"\r\n")
    rig.expect(server, expected)
    server.sock.send(SWITCHED + b"hello")
    rig.expect(client, SWITCHED + b"hello")
    rig.expect(server, b"early")
    client.sock.send(get(b"/b/not-http"))
    rig.expect(server, get(b"/b/not-http"))
    assert rig.loads == [1]
    server.sock.shutdown(socket.SHUT_WR)
    assert rig.ends(client) == b""
    client.sock.send(b"bye")
    rig.expect(server, b"bye")
    client.sock.close()
    rig.reactor.until(server.has_ended)
    rig.reactor.settle()
    (line,) = rig.logged.lines
    assert line["down"] == len(SWITCHED) + 5
    assert line["up"] == len(expected) + len(b"early") + len(get(b"/b/not-http")) + 3
    assert rig.loads == [0]


def test_an_upgrade_that_is_declined(rig: Rig) -> None:
    client = rig.connect(UPGRADE)
    server = rig.accept()
    server.read()
    server.sock.send(OK)
    rig.expect(client, OK)
    server.data = b""
    rig.exchange(client, server, get(b"/a/2"))


# -- bulk


def deliver(rig: Rig, inbox: Inbox, data: bytes) -> memoryview:
    """Send as much as is taken while nobody reads; what is left."""
    view, stalled = memoryview(data), 0
    while view and stalled < 20:
        try:
            view = view[inbox.sock.send(view[: 1 << 18]) :]
            stalled = 0
        except BlockingIOError:
            stalled += 1
        rig.reactor.turn(0.001)
    return view


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
    view = memoryview(wire)
    while len(client.read()) < len(wire):
        with contextlib.suppress(BlockingIOError):
            view = view[server.sock.send(view[: 1 << 20]) :] if view else view
        rig.reactor.turn(0)
    assert client.data == wire
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
    view = memoryview(framed)
    while len(server.read()) < len(framed):
        with contextlib.suppress(BlockingIOError):
            view = view[client.sock.send(view[: 1 << 20]) :] if view else view
        rig.reactor.turn(0)
    assert server.data == framed
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
    view = memoryview(wire)
    while len(client.read()) < len(wire):
        with contextlib.suppress(BlockingIOError):
            view = view[server.sock.send(view[: 1 << 20]) :] if view else view
        rig.reactor.turn(0)
    assert client.data == wire


# -- drain


def test_drain_ends_idle_clients_and_finishes_the_others(rig: Rig) -> None:
    idle = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(idle, OK)
    server.read()
    server.data = b""
    busy = rig.connect(get(b"/a/2"))
    rig.expect(server, sent(get(b"/a/2")))
    done: list[object] = []
    rig.target.stop().addCallback(done.append)
    rig.reactor.advance(LAST_REQUESTS - 0.1)
    rig.reactor.settle()
    assert not idle.has_ended()
    rig.reactor.advance(0.1)
    assert rig.ends(idle) == b""
    assert not done
    server.sock.send(OK)
    assert rig.ends(busy) == OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert done
    rig.reactor.until(server.has_ended)
    busy.sock.close()
    rig.reactor.advance(LINGER_TIME)


def test_a_client_that_asks_once_more_in_the_drain_is_told_that_it_was_the_last_time(rig: Rig) -> None:
    """One was idle; of the other the answer had begun, without a word of closing."""
    idle = rig.connect(get())
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(idle, OK)
    server.read()
    server.data = b""
    busy = rig.connect(get(b"/a/busy"))
    rig.expect(server, sent(get(b"/a/busy")))
    server.sock.send(OK[:-1])
    rig.reactor.until(lambda: busy.read())
    done: list[object] = []
    rig.target.stop().addCallback(done.append)
    server.sock.send(OK[-1:])
    rig.expect(busy, OK)
    last = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for client in (idle, busy):
        client.data = b""
        client.sock.send(get(b"/a/once-more"))
        fresh = rig.accept()
        rig.expect(fresh, sent(get(b"/a/once-more")))
        assert not done
        fresh.sock.send(OK)
        assert rig.ends(client) == last
        client.sock.close()
    rig.reactor.until(lambda: done)
    rig.reactor.advance(LINGER_TIME)


def test_drain_cuts_what_does_not_end(rig: Rig) -> None:
    busy = rig.connect(get())
    server = rig.accept()
    rig.expect(server, sent(get()))
    done: list[object] = []
    rig.target.stop().addCallback(done.append)
    rig.reactor.advance(rig.limits.drain_time)
    assert done
    rig.reactor.until(busy.has_ended)
    assert busy.reset
    rig.reactor.until(server.has_ended)
    assert rig.logged.lines[0]["ended"] == "KH"


def test_split_is_the_default_and_needs_a_head(rig: Rig) -> None:
    """Without a request head there is nothing to split by: such a connection is left alone."""
    assert Tcp("h:1").keepalive == "split"
    client, arrival = arrive(b"SSH-2.0-x\r\n")
    rig.sockets.append(client)
    rig.service.put_through(arrival)
    server = rig.accept()
    rig.expect(server, b"SSH-2.0-x\r\n")
    server.sock.send(b"SSH-2.0-y\r\n")
    rig.expect(Inbox(client), b"SSH-2.0-y\r\n")
