import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocketsvc.handshake import Handshake, HeadReader, Request, check_upgrade, parse_request
from websocketsvc.refusals import Refusal

from .support.fixtures import Tools

# -- the head


def test_head_whole_byte_by_byte_and_with_trailing_bytes(tools: Tools) -> None:
    stream = tools.opening("/x")
    head = stream[:-4]
    assert HeadReader(1000).feed(stream) == (head, b"")
    assert HeadReader(1000).feed(stream + b"\r\n\r\nrest") == (head, b"\r\n\r\nrest")
    reader = HeadReader(1000)
    for at in range(len(stream) - 1):
        assert reader.feed(stream[at : at + 1]) is None
    assert reader.feed(stream[-1:] + b"rest") == (head, b"rest")


@given(cuts=st.lists(st.integers(0, 30), max_size=6))
def test_head_in_any_pieces(cuts: list[int]) -> None:
    stream, reader, last, found = b"GET / HTTP/1.1\r\n\r\nrest", HeadReader(100), 0, None
    for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        if found is None:
            found = reader.feed(stream[last:cut])
            last = cut
    assert isinstance(found, tuple)
    assert found[0] == b"GET / HTTP/1.1" and b"rest".startswith(found[1])


def test_a_head_of_the_limit_and_one_more() -> None:
    stream = b"GET / HTTP/1.1\r\n\r\n"
    assert HeadReader(len(stream)).feed(stream + b"more") == (stream[:-4], b"more")
    refusal = HeadReader(len(stream) - 1).feed(stream)
    assert isinstance(refusal, Refusal) and refusal.status == 431


def test_a_head_without_an_end_is_refused_at_the_limit() -> None:
    reader = HeadReader(10)
    assert reader.feed(b"x" * 10) is None
    refusal = reader.feed(b"x")
    assert isinstance(refusal, Refusal) and refusal.status == 431


# -- the request


def requested(stream: bytes) -> Request | Refusal:
    return parse_request(stream.removesuffix(b"\r\n\r\n"))


def test_request(tools: Tools) -> None:
    request = requested(tools.opening("/a%41//b?q=1", Accept="a, b", accept=" c"))
    assert isinstance(request, Request)
    assert (request.method, request.target, request.path, request.version) == ("GET", "/a%41//b?q=1", b"/aA/b", "1.1")
    assert request.fields["accept"] == ["a, b", "c"]
    assert request.tokens("accept") == ["a", "b", "c"]
    assert request.tokens("none") == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 400),
        (b"GET /\r\nHost: a", 400),
        (b"GET  / HTTP/1.1\r\nHost: a", 400),
        (b"GET / HTTP/1.1 \r\nHost: a", 400),
        (b"GET /\x00 HTTP/1.1\r\nHost: a", 400),
        (b"GET /\xe9 HTTP/1.1\r\nHost: a", 400),
        (b"G@T / HTTP/1.1\r\nHost: a", 400),
        (b"GET / http/1.1\r\nHost: a", 400),
        (b"GET / HTTP/1.0\r\nHost: a", 505),
        (b"GET / HTTP/2.0\r\nHost: a", 505),
        (b"GET / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nspace : b", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: b", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: nameless", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x0b", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5", 400),
        (b"GET /../x HTTP/1.1\r\nHost: a", 400),
        (b"GET /%zz HTTP/1.1\r\nHost: a", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a", 400),
    ],
)
def test_requests_that_are_refused(head: bytes, status: int) -> None:
    refusal = parse_request(head)
    assert isinstance(refusal, Refusal) and refusal.status == status


def test_an_empty_body_is_no_body() -> None:
    assert isinstance(parse_request(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0"), Request)


@given(st.binary(max_size=200))
def test_no_head_is_too_strange(head: bytes) -> None:
    assert isinstance(parse_request(b"GET / HTTP/1.1\r\nHost: a\r\n" + head), Request | Refusal)
    assert isinstance(parse_request(head), Request | Refusal)


# -- the upgrade (RFC 6455 section 4.2.1)


def judged(stream: bytes, origins: frozenset[str] | None = None) -> Handshake | Refusal:
    request = requested(stream)
    assert isinstance(request, Request)
    return check_upgrade(request, origins)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"Upgrade": "WebSocket"},
        {"Upgrade": "h2c, websocket"},
        {"Connection": "keep-alive, UPGRADE"},
        {"Origin": "https://evil.example"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; nonsense=\xff"},
        {"Sec-WebSocket-Key1": "an old client's"},
    ],
)
def test_handshakes_that_are_let_through(tools: Tools, changed: dict[str, str]) -> None:
    handshake = judged(tools.opening("/", **changed))
    assert isinstance(handshake, Handshake)
    assert handshake.key.encode() == tools.KEY
    assert handshake.origin == changed.get("Origin")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Upgrade": "websockets"}, 426),
        ({"Connection": None}, 426),
        ({"Connection": "close"}, 426),
        ({"Sec-WebSocket-Version": None}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Version": "13, 8"}, 426),
        ({"Sec-WebSocket-Version": "013"}, 426),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": ""}, 400),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j"}, 400),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZSE="}, 400),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j!Q=="}, 400),
        ({"Sec-WebSocket-Key": "\xe9GhlIHNhbXBsZSBub25jZQ=="}, 400),
        ({"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}, 400),
        ({"Origin": "https://a.example", "origin": "https://b.example"}, 400),
        ({"Sec-WebSocket-Protocol": "a, b, a"}, 400),
        ({"Sec-WebSocket-Protocol": "a b"}, 400),
    ],
)
def test_handshakes_that_are_refused(tools: Tools, changed: dict[str, str | None], status: int) -> None:
    refusal = judged(tools.opening("/", **changed))
    assert isinstance(refusal, Refusal) and refusal.status == status
    if status == 426:
        assert dict(refusal.fields) == {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}


def test_other_methods_are_refused(tools: Tools) -> None:
    refusal = judged(tools.opening("/").replace(b"GET", b"POST"))
    assert isinstance(refusal, Refusal) and refusal.status == 405
    assert dict(refusal.fields) == {"Allow": "GET"}


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://a.example", True),
        ("HTTPS://A.example", True),
        ("https://a.example:444", False),
        ("http://a.example", False),
        ("https://a.example.evil", False),
        ("null", False),
        ("", False),
    ],
)
def test_origins(tools: Tools, origin: str | None, allowed: bool) -> None:
    found = judged(tools.opening("/", Origin=origin), frozenset({"https://a.example"}))
    assert isinstance(found, Handshake) if allowed else isinstance(found, Refusal) and found.status == 403


def test_null_is_an_origin_that_can_be_allowed(tools: Tools) -> None:
    assert isinstance(judged(tools.opening("/", Origin="null"), frozenset({"null"})), Handshake)


def test_subprotocols_in_the_clients_order(tools: Tools) -> None:
    handshake = judged(tools.opening("/", **{"Sec-WebSocket-Protocol": "b, a", "sec-websocket-protocol": "c"}))
    assert isinstance(handshake, Handshake) and handshake.subprotocols == ("b", "a", "c")


# -- written anew


def test_encode_has_what_a_handshake_needs_each_once(tools: Tools) -> None:
    handshake = judged(tools.opening("/x?y", Upgrade="h2c, WebSocket", Origin="https://a.example", Cookie="a=b"))
    assert isinstance(handshake, Handshake)
    lines = handshake.encode().decode().split("\r\n")
    assert lines == [
        "GET /x?y HTTP/1.1",
        "Host: example.org",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {tools.KEY.decode()}",
        "Origin: https://a.example",
        "",
        "",
    ]


def test_encode_more_has_the_other_fields_joined_but_no_extensions(tools: Tools) -> None:
    stream = tools.opening("/", Cookie="a=b", cookie="c=d", Accept="x", accept="y", sec_websocket_extensions="z")
    handshake = judged(stream)
    assert isinstance(handshake, Handshake)
    again = requested(handshake.encode(more=True))
    assert isinstance(again, Request)
    assert again.fields["cookie"] == ["a=b; c=d"]
    assert again.fields["accept"] == ["x, y"]
    assert "sec-websocket-extensions" not in again.fields


def test_what_was_written_anew_is_a_valid_handshake(tools: Tools) -> None:
    handshake = judged(tools.opening("/x", Origin="null", X="\xe9"))
    assert isinstance(handshake, Handshake)
    again = judged(handshake.encode(more=True))
    assert isinstance(again, Handshake)
    assert (again.key, again.origin, again.request.target) == (handshake.key, handshake.origin, handshake.request.target)
