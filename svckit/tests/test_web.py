"""GuardedSite in memory: what is ours is answered, what is not goes back byte for byte."""

from collections.abc import Iterable
from typing import Any

import pytest
from svckit.lease import Lease, Ownership
from svckit.paths import normalise
from svckit.web import HEAD_DEADLINE, MISDIRECTED, MOST_FIELDS, TOO_LARGE, GuardedChannel, GuardedRequest, GuardedSite
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

OURS = (("/a/", True), ("/b/", False), ("/a/inner/", False))


class Everything(Resource):
    """Answers with the path and the body that it sees; `/a/slow` when the test says so."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bytes, bytes, bytes]] = []
        self.slow: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        body = request.content.read()
        self.seen.append((request.method, request.path, body))
        if request.path.startswith(b"/a/slow"):
            self.slow.append(request)
            return NOT_DONE_YET
        if request.path == b"/a/who":
            request.user = b"j\xc3\xb6rg"  # type: ignore[attr-defined]
        return b"<" + request.path + b">"


class Table:
    """One connection to a guarded site."""

    def __init__(self, returnable: bool = True, leased: bool = True, **options: Any) -> None:
        self.clock, self.root, self.ownership = Clock(), Everything(), Ownership(OURS)
        self.site = GuardedSite(self.root, self.clock, **options)
        self.site.startFactory()
        peer = IPv4Address("TCP", "203.0.113.7", 4711)
        self.transport = StringTransport(peerAddress=peer)
        self.handed_back: list[bytes] = []
        self.later = b""  # what the socket still holds when the connection goes back
        channel = self.site.buildProtocol(peer)
        assert isinstance(channel, GuardedChannel)
        self.channel = channel
        if leased:
            self.channel.lease = Lease(self.ownership, self.handed_back.append if returnable else None)
        self.channel.makeConnection(self.transport)

    def feed(self, pieces: Iterable[bytes]) -> "Table":
        """Deliver, as long as the connection is the channel's."""
        for piece in pieces:
            if self.handed_back or self.transport.disconnecting:
                self.later += piece
            else:
                self.channel.dataReceived(piece)
        return self

    @property
    def answers(self) -> list[tuple[int, bytes]]:
        """Status and body of each answer so far."""
        found, rest = [], self.transport.value()
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            body = b""
            for line in lines:
                if line.startswith(b"content-length: "):
                    length = int(line.split(b" ")[1])
                    body, rest = rest[:length], rest[length:]
                if line == b"transfer-encoding: chunked":
                    size, _, rest = rest.partition(b"\r\n")
                    body, rest = rest[: int(size, 16)], rest[int(size, 16) + 2 :].removeprefix(b"0\r\n\r\n")
            found.append((int(lines[0].split(b" ")[1]), body))
        return found

    @property
    def paths(self) -> list[bytes]:
        return [path for _, path, _ in self.root.seen]


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/{version}", "Host: example.org", *headers, "", ""]).encode()


def put(path: str, body: bytes) -> bytes:
    return f"PUT {path} HTTP/1.1\r\nHost: example.org\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def put_chunked(path: str, *chunks: bytes) -> bytes:
    head = f"PUT {path} HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def whole(data: bytes) -> list[bytes]:
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def in_sevens(data: bytes) -> list[bytes]:
    return [data[at : at + 7] for at in range(0, len(data), 7)]


pieces = pytest.mark.parametrize("cut", [whole, byte_by_byte, in_sevens])

# -- the guard


@pieces
def test_own_requests_are_answered_one_after_the_other(cut: Any) -> None:
    table = Table().feed(cut(get("/a/1") + get("/a/2?x=/b/") + put("/a/3", b"body")))
    assert table.answers == [(200, b"</a/1>"), (200, b"</a/2>"), (200, b"</a/3>")]
    assert table.handed_back == []
    assert not table.transport.disconnecting


@pieces
@pytest.mark.parametrize("foreign", [get("/b/x"), put("/b/x", b"12\r\n\r\n34"), put_chunked("/b/", b"one", b"two")])
def test_a_foreign_request_goes_back_byte_for_byte(cut: Any, foreign: bytes) -> None:
    table = Table().feed(cut(get("/a/1") + foreign + get("/a/after")))
    assert table.paths == [b"/a/1"]
    assert len(table.handed_back) == 1
    assert table.handed_back[0] + table.later == foreign + get("/a/after")
    assert table.answers == [(200, b"</a/1>")]
    assert not table.transport.disconnecting


def test_it_goes_back_as_soon_as_its_request_line_is_there() -> None:
    table = Table().feed([get("/a/1"), b"GET /b/x HTTP/1.1\r"])
    assert table.handed_back == []
    table.feed([b"\nHo"])
    assert table.handed_back == [b"GET /b/x HTTP/1.1\r\nHo"]


def test_what_still_comes_to_the_channel_after_that_is_not_parsed() -> None:
    table = Table().feed([get("/a/1"), get("/b/x")])
    table.channel.dataReceived(get("/a/2"))
    assert table.paths == [b"/a/1"]
    assert len(table.handed_back) == 1


@pieces
def test_bodies_before_a_foreign_request_are_intact(cut: Any) -> None:
    body = b"GET /b/x HTTP/1.1\r\nHost: inside the body\r\n\r\n"
    data = put("/a/1", body) + put_chunked("/a/2", body, b"more") + put("/a/3", b"") + get("/b/x")
    table = Table().feed(cut(data))
    assert table.root.seen == [(b"PUT", b"/a/1", body), (b"PUT", b"/a/2", body + b"more"), (b"PUT", b"/a/3", b"")]
    assert table.handed_back[0] + table.later == get("/b/x")


@pieces
def test_the_first_request_is_never_asked_about(cut: Any) -> None:
    table = Table().feed(cut(get("/b/x") + get("/a/1")))
    assert table.answers == [(200, b"</b/x>"), (200, b"</a/1>")]
    assert table.handed_back == []


def test_nor_is_it_after_an_empty_line() -> None:
    table = Table().feed([b"\r\n" + get("/b/x")])
    assert table.paths == [b"/b/x"]


def test_an_empty_line_between_requests_counts_for_nothing() -> None:
    table = Table().feed([get("/a/1") + b"\r\n" + get("/a/2") + b"\r\n" + get("/b/x")])
    assert table.paths == [b"/a/1", b"/a/2"]
    assert table.handed_back == [get("/b/x")]


@pieces
def test_where_it_cannot_go_back_the_client_gets_421(cut: Any) -> None:
    table = Table(returnable=False).feed(cut(get("/a/1") + get("/b/x") + get("/a/2")))
    assert table.paths == [b"/a/1"]
    assert table.answers == [(200, b"</a/1>"), (421, b"")]
    assert table.transport.value().endswith(MISDIRECTED)
    assert table.transport.disconnecting


def test_without_a_lease_everything_is_ours() -> None:
    table = Table(leased=False).feed([get("/a/1") + get("/b/x")])
    assert table.paths == [b"/a/1", b"/b/x"]


@pytest.mark.parametrize(
    ("target", "foreign"),
    [
        ("/a/inner/x", True),
        ("/a/inner", True),
        ("/a/innermost", False),
        ("/a", False),
        ("/nobodys", True),
        ("/", True),
        ("*", True),
        ("/b/../a/x", False),
        ("/a/../b/x", True),
        ("/%61/x", False),
        ("/a/%69nner/x", True),
        ("//a//x", False),
        ("http://example.org/a/x", False),
        ("http://example.org/b/x", True),
        ("/a/%2e%2e/b/x", True),
    ],
)
def test_whose_a_target_is(target: str, foreign: bool) -> None:
    table = Table().feed([get("/a/1") + get(target)])
    assert table.handed_back == ([get(target)] if foreign else [])
    assert len(table.root.seen) == (1 if foreign else 2)


def test_the_guard_follows_the_routes() -> None:
    table = Table().feed([get("/a/1") + get("/a/2")])
    table.ownership.update((("/a/", False), ("/b/", True)))
    table.feed([get("/b/3") + get("/a/4")])
    assert table.paths == [b"/a/1", b"/a/2", b"/b/3"]
    assert table.handed_back == [get("/a/4")]


@pieces
@pytest.mark.parametrize("last", [get("/a/1", version="1.0"), get("/a/1", "Connection: close")])
def test_after_a_last_request_nothing_is_read(cut: Any, last: bytes) -> None:
    table = Table().feed(cut(last + get("/b/x")))
    assert table.paths == [b"/a/1"]
    assert table.handed_back == []
    assert table.transport.disconnecting


@pytest.mark.parametrize(
    "line", [b"GET  /b/x HTTP/1.1", b"GET /b/x", b"GET\t/b/x\tHTTP/1.1", b"GET /b/x HTTP/3.0 x", b"nonsense"]
)
def test_a_malformed_request_line_gets_its_400_here(line: bytes) -> None:
    table = Table().feed([get("/a/1") + line + b"\r\n\r\n"])
    assert [status for status, _ in table.answers] == [200, 400]
    assert table.handed_back == []
    assert table.transport.disconnecting


@pieces
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_a_line_that_is_too_long_is_431(cut: Any, end: bytes) -> None:
    head = b"GET /a/2 HTTP/1.1\r\nX-Long: "
    for line in (head + b"x" * (GuardedChannel.MAX_LENGTH + 2), b"GET /a/" + b"x" * (GuardedChannel.MAX_LENGTH + 2)):
        table = Table().feed(cut(get("/a/1") + line + end))
        assert table.answers == [(200, b"</a/1>"), (431, b"")]
        assert table.transport.value().endswith(TOO_LARGE)
        assert table.transport.disconnecting
        assert table.paths == [b"/a/1"]


def test_a_line_of_the_limit_and_a_head_over_it() -> None:
    line = b"X-Long: ".ljust(GuardedChannel.totalHeadersSize // 2, b"x") + b"\r\n"
    start = b"GET /a/1 HTTP/1.1\r\n"
    assert Table().feed([start + line + b"\r\n"]).answers == [(200, b"</a/1>")]
    table = Table().feed([start + line + line + b"\r\n"])
    assert table.transport.value().startswith(b"HTTP/1.1 400 ")
    assert table.transport.disconnecting


# -- while an answer is under way


@pieces
def test_what_is_pipelined_waits_for_the_answer_before(cut: Any) -> None:
    table = Table().feed(cut(get("/a/slow") + get("/a/2") + get("/b/x") + get("/a/3")))
    assert table.paths == [b"/a/slow"]
    assert table.handed_back == []
    table.root.slow[0].write(b"at last")
    assert table.handed_back == []
    table.root.slow[0].finish()
    assert table.answers == [(200, b"at last"), (200, b"</a/2>")]
    assert table.handed_back == [get("/b/x") + get("/a/3")]


def test_a_client_that_pipelines_without_end_is_not_read() -> None:
    table = Table().feed([get("/a/slow")])
    fed = 0
    while table.transport.producerState == "producing":
        table.feed([get("/b/x") * 20])
        fed += 1
    assert fed * len(get("/b/x") * 20) < 20_000
    table.root.slow[0].finish()
    assert table.handed_back == [get("/b/x") * 20 * fed]


# -- drain


def test_an_idle_connection_goes_back() -> None:
    table = Table().feed([get("/a/1")])
    table.channel.drain()
    assert table.handed_back == [b""]
    table.channel.drain()
    assert table.handed_back == [b""]
    assert not table.transport.disconnecting


def test_a_connection_that_has_asked_nothing_goes_back() -> None:
    table = Table()
    table.channel.drain()
    assert table.handed_back == [b""]


@pytest.mark.parametrize("before", [b"", get("/a/1")])
def test_half_a_request_line_goes_back(before: bytes) -> None:
    table = Table().feed([before + b"GET /a/2 HT"] if before else [b"GET /a/2 HT"])
    table.channel.drain()
    assert table.handed_back == [b"GET /a/2 HT"]


@pytest.mark.parametrize("before", [b"", get("/a/1")])
def test_half_a_head_is_read_and_answered_and_then_the_connection_goes_back(before: bytes) -> None:
    request = get("/a/2")
    table = Table().feed([before + request[:-10]] if before else [request[:-10]])
    table.channel.drain()
    assert table.handed_back == []
    table.feed([request[-10:]])
    assert table.answers[-1] == (200, b"</a/2>")
    assert table.handed_back == [b""]


def test_half_a_body_is_read_and_answered() -> None:
    request = put("/a/1", b"0123456789")
    table = Table().feed([request[:-5]])
    table.channel.drain()
    table.feed([request[-5:] + get("/a/2")])
    assert table.root.seen == [(b"PUT", b"/a/1", b"0123456789")]
    assert table.handed_back == [get("/a/2")]


def test_an_answer_under_way_is_finished_and_then_the_connection_goes_back() -> None:
    table = Table().feed([get("/a/slow") + get("/a/2")])
    table.root.slow[0].write(b"half")
    table.channel.drain()
    assert table.handed_back == []
    table.root.slow[0].finish()
    assert table.answers == [(200, b"half")]
    assert table.handed_back == [get("/a/2")]
    assert b"connection: close" not in table.transport.value().lower()


def test_a_last_answer_under_way_is_finished_and_closed() -> None:
    table = Table().feed([get("/a/slow", "Connection: close")])
    table.channel.drain()
    table.root.slow[0].finish()
    assert table.handed_back == []
    assert table.transport.disconnecting


def test_where_it_cannot_go_back_an_idle_one_is_closed() -> None:
    table = Table(returnable=False).feed([get("/a/1")])
    table.channel.drain()
    assert table.transport.disconnecting
    assert table.answers == [(200, b"</a/1>")]


@pytest.mark.parametrize("leased", [True, False])
def test_where_it_cannot_go_back_the_client_is_told_with_the_answer(leased: bool) -> None:
    table = Table(returnable=False, leased=leased).feed([get("/a/slow") + get("/a/2")])
    table.channel.drain()
    assert not table.transport.disconnecting
    table.root.slow[0].write(b"done")
    table.root.slow[0].finish()
    assert b"connection: close" in table.transport.value().lower()
    assert table.paths == [b"/a/slow"]
    assert table.transport.disconnecting


def test_where_it_cannot_go_back_an_answer_that_has_begun_is_finished() -> None:
    table = Table(returnable=False).feed([get("/a/slow")])
    table.root.slow[0].write(b"half")
    table.channel.drain()
    assert not table.transport.disconnecting
    table.root.slow[0].finish()
    assert table.transport.disconnecting
    assert table.answers == [(200, b"half")]


def test_where_it_cannot_go_back_half_a_head_is_answered_and_closed() -> None:
    request = get("/a/1")
    table = Table(returnable=False).feed([request[:-2]])
    table.channel.drain()
    assert not table.transport.disconnecting
    table.feed([request[-2:]])
    assert table.answers == [(200, b"</a/1>")]
    assert b"connection: close" in table.transport.value().lower()
    assert table.transport.disconnecting


def test_expired_is_cut() -> None:
    table = Table().feed([get("/a/slow")])
    table.channel.drain()
    table.channel.expire()
    assert table.transport.disconnected or table.transport.aborting


# -- timeouts


def test_an_idle_connection_times_out() -> None:
    table = Table(timeout=60).feed([get("/a/1")])
    table.clock.advance(59)
    assert not table.transport.disconnecting
    table.clock.advance(1)
    assert table.transport.disconnecting


# -- requests


@pytest.mark.parametrize("target", ["/../x", "/a/%zz", "/a/%4", "/a%00", "/a/../../x", "example.org:443", "/a#b"])
def test_a_target_without_meaning_is_answered_here(target: str) -> None:
    for table in (Table().feed([get(target)]), Table().feed([get("/a/1") + get(target)])):
        status, body = table.answers[-1]
        assert status == 400
        assert body.startswith(b"Bad request: ")
        assert table.handed_back == []
        assert target.encode() not in body
        table.feed([get("/a/next")])
        assert table.answers[-1] == (200, b"</a/next>")


def test_a_bad_target_of_head_has_no_body() -> None:
    table = Table().feed([get("/../x").replace(b"GET", b"HEAD")])
    assert table.transport.value().startswith(b"HTTP/1.1 400 ")
    assert b"Bad request:" not in table.transport.value()


@pytest.mark.parametrize("target", ["/a/b", "/a//b/", "/a/./b", "/%61/b%2fc", "/a/%25", "http://example.org/a?x#", "/a/?q"])
def test_the_resource_sees_the_path_that_the_router_saw(target: str) -> None:
    if "#" in target:
        target = target[:-1]
    table = Table().feed([get(target)])
    assert table.paths == [normalise(target.encode())]


def test_a_form_is_not_read_into_memory() -> None:
    form = b"--x\r\nContent-Disposition: form-data; name=f\r\n\r\nv\r\n--x--\r\n"
    head = b"POST /a/form HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n"
    table = Table().feed([head % len(form) + form])
    assert table.root.seen == [(b"POST", b"/a/form", form)]


def test_a_request_class_of_the_services_own() -> None:
    class Own(GuardedRequest):
        pass

    table = Table(requestFactory=Own).feed([get("/a/slow")])
    assert isinstance(table.root.slow[0], Own)


# -- the access event


def logged(table: Table, data: bytes) -> list[LogEvent]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        table.feed([data])
        table.clock.advance(0.25)
        for request in table.root.slow:
            request.write(b"slowly")
            request.finish()
    finally:
        globalLogPublisher.removeObserver(events.append)
    return [event for event in events if event.get("log_namespace") == "access"]


def test_each_request_is_one_event() -> None:
    events = logged(Table(), get("/a/1?q=1") + put("/a/who", b"x") + get("/../x") + get("/a/slow") + get("/b/x"))
    names = ("client", "method", "uri", "status", "sent", "user", "ms")
    assert [tuple(event[name] for name in names) for event in events] == [
        ("203.0.113.7", "GET", "/a/1?q=1", 200, 6, None, 0.0),
        ("203.0.113.7", "PUT", "/a/who", 200, 8, "jörg", 0.0),
        ("203.0.113.7", "GET", "/../x", 400, len(b"Bad request: the path climbs above the root\n"), None, 0.0),
        ("203.0.113.7", "GET", "/a/slow", 200, 6, None, 250.0),
    ]


def test_a_client_that_goes_ends_its_request() -> None:
    table = Table().feed([get("/a/slow")])
    gone: list[Failure] = []
    table.root.slow[0].notifyFinish().addErrback(gone.append)
    table.channel.connectionLost(Failure(ConnectionLost()))
    assert gone[0].check(ConnectionLost)


# -- heads after the first, read as strictly as the router reads the first one


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /a/2 HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nA: \x01\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400),
        (b"GET  /a/2 HTTP/1.1\r\n\r\n", 400),
        (b"GET /a/2\r\n\r\n", 400),
        (b"GET /a/2 HTTP/2.0\r\n\r\n", 505),
        (b"GET /a/2 HTTP/1.2\r\n\r\n", 505),
        (b"GET /a/2 HTTP/1.1\r\nX-Host: h\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nHost: h\r\nHOST: h\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.0\r\nHost: h\r\nA: b\r\nhost:\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nHost: h h\r\n\r\n", 400),
        (b"GET /a/2 HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * MOST_FIELDS, 431),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_an_unsound_second_head_ends_the_connection(head: bytes, status: int, step: int) -> None:
    table = Table().feed([get("/a/1")]).feed(head[at : at + step] for at in range(0, len(head), step))
    assert [found for found, _ in table.answers] == [200, status]
    assert table.transport.disconnecting
    assert [path for _, path, _ in table.root.seen] == [b"/a/1"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /a/2 HTTP/1.0\r\n\r\n",
        b"GET /a/2 HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET /a/2 HTTP/1.1\r\nhost:  [::1]:80 \r\n\r\n",
        b"GET /a/2 HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * (MOST_FIELDS - 1) + b"\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 10_000])
def test_a_sound_second_head_is_answered(head: bytes, step: int) -> None:
    table = Table().feed([get("/a/1")]).feed(head[at : at + step] for at in range(0, len(head), step))
    assert [found for found, _ in table.answers] == [200, 200]


def test_the_first_head_is_the_routers_to_judge() -> None:
    table = Table().feed([b"GET /a/1 HTTP/1.1\r\n" + b"A: b\r\n" * (MOST_FIELDS + 1) + b"\r\n"])
    assert [found for found, _ in table.answers] == [200]


def test_fields_are_counted_for_each_request() -> None:
    head = b"GET /a/2 HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * (MOST_FIELDS - 1) + b"\r\n"
    assert [found for found, _ in Table().feed([get("/a/1"), head, head]).answers] == [200, 200, 200]


def test_a_head_has_a_deadline_however_it_trickles() -> None:
    table = Table().feed([get("/a/1")])
    head = get("/a/2")
    for second in range(int(HEAD_DEADLINE)):
        assert not table.transport.disconnecting
        table.feed([head[second : second + 1]])
        table.clock.advance(1)
    assert [found for found, _ in table.answers] == [200, 408]
    assert table.transport.disconnecting
    assert not table.handed_back


def test_a_slow_body_is_no_late_head() -> None:
    table = Table().feed([put("/a/1", b"body")[:-1]])
    table.clock.advance(HEAD_DEADLINE + 1)
    table.feed([b"y"])
    assert table.answers == [(200, b"</a/1>")]
    assert not [call for call in table.clock.getDelayedCalls() if call.getTime() - table.clock.seconds() == HEAD_DEADLINE]


# -- a client that has ended its side


def test_a_half_closed_client_gets_its_answers() -> None:
    table = Table().feed([get("/a/slow") + get("/a/2")])
    table.channel.readConnectionLost()
    assert not table.transport.disconnecting
    table.root.slow[0].finish()
    assert [body for _, body in table.answers][-1] == b"</a/2>"
    assert table.transport.disconnecting


@pytest.mark.parametrize("data", [b"", get("/a/1"), get("/a/1") + b"GET /a/2", put("/a/1", b"body")[:-1]])
def test_a_half_closed_client_without_a_whole_request_is_let_go(data: bytes) -> None:
    table = Table().feed([data] if data else [])
    table.channel.readConnectionLost()
    assert table.transport.disconnecting


# -- what waits here while a request is answered stays small


@pytest.mark.parametrize("first", [get("/a/slow"), put("/a/slow", b"body")])
def test_nothing_is_read_while_more_requests_wait(first: bytes) -> None:
    table = Table().feed([first + get("/b/other") * 100])
    assert table.transport.producerState == "paused"
    table.root.slow[0].finish()
    assert table.handed_back == [get("/b/other") * 100]


def test_without_more_requests_the_end_of_the_client_is_still_noticed() -> None:
    table = Table().feed([get("/a/slow")])
    assert table.transport.producerState == "producing"
