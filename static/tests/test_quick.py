"""The quick way: that it answers as the ordinary way does, and leaves to that one whatever is special."""

from typing import Any

import pytest
from staticsvc import quick
from staticsvc.codings import accepted
from svckit.remembered import Remembered

from tests.support.special import SPECIAL
from tests.support.wire import BIG, Wire

pytestmark = pytest.mark.usefixtures("nothing_leaks")


def fields(head: bytes) -> dict[bytes, bytes]:
    first, *lines = head.split(b"\r\n")
    return {b"": first, **dict(line.split(b": ", 1) for line in lines)}


@pytest.mark.parametrize("field", ["Authorization: Basic", "authorization:Digest", "Proxy-Authorization: x", "Cookie: id="])
@pytest.mark.parametrize("target", ["/static/hello.txt", "/static/private/x"])
def test_no_login_stays_in_memory(wire: Wire, quickly: list[bytes], target: str, field: str) -> None:
    before = list(quick._heads)
    for _ in range(2):
        wire.get(target, f"{field} {target}")  # a head of its own
        wire.answer()
    assert quickly == [target.encode()] * ("hello" in target)
    assert list(quick._heads) == before


def test_other_heads_stay_but_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "_heads", Remembered(quick._read, quick.MOST_HEADS))
    heads = [b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(quick.MOST_HEADS + 2)]
    for head in heads * 2:
        assert quick.read(head) == ((head.split()[1], ()), head.split()[1])
    assert list(quick._heads) == heads[2:]


@pytest.mark.parametrize("target", ["/static/hello.txt", "/static/sub/", "/static/big.bin", "/static//./hello.txt?x=1"])
def test_the_answer_is_the_same(wire: Wire, quickly: list[bytes], target: str) -> None:
    answers = []
    for _ in range(3):
        wire.get(target)
        answers.append(wire.answer())
    assert quickly == [target.encode()] * 2
    first, *others = [(fields(head), body) for head, body in answers]
    for got, body in others:
        assert body == first[1]
        got[b"Date"] = first[0][b"Date"]
        assert got == first[0]


def test_a_large_file_to_a_slow_reader(site: Any, quickly: list[bytes]) -> None:
    wire = Wire(site, buffer=4096)
    try:
        for _ in range(3):
            wire.get("/static/big.bin")
            assert wire.answer()[1] == BIG
        assert len(quickly) == 2 and not wire.channel.requests
        wire.get("/static/hello.txt")
        assert wire.answer()[1] == b"hello", "the connection goes on"
    finally:
        wire.close()


def test_pipelined_behind_a_large_file(wire: Wire) -> None:
    for target in ("/static/big.bin", "/static/hello.txt"):
        wire.get(target)
        wire.answer()
    wire.send(b"GET /static/big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    wire.send(b"GET /static/hello.txt HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.answer()[1] == BIG
    assert wire.answer()[1] == b"hello"
    wire.send(b"GET /static/hello.txt HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    assert [wire.answer()[1] for _ in range(3)] == [b"hello"] * 3


@pytest.mark.parametrize(
    "header",
    [
        *SPECIAL,
        "Range: bytes=0-1",
        'If-None-Match: "x"',
        'if-match: "x"',
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        "Content-Length: 0",
        "Accept-Encoding: br\r\nAccept-Encoding: gzip",
        "X: " + "y" * quick.LONGEST_HEAD,
    ],
)
def test_what_is_special_is_left_alone(header: str) -> None:
    plain = b"GET /static/hello.txt HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\nAccept: */*\r\n"
    assert quick.read(plain + b"\r\n") == ((b"/static/hello.txt", ()), b"/static/hello.txt")
    head = plain + header.encode() + b"\r\n\r\n"
    assert len(head) > quick.LONGEST_HEAD or quick.read(head) is None


@pytest.mark.parametrize(
    "head",
    [
        b"GET /x HTTP/1.1\r\n\r\n",
        b"GET /x HTTP/1.0\r\nHost: x\r\n\r\n",
        b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET  /x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /../x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET /x HTTP/1.1\nHost: x\n\n",
        b"GET /x HTTP/1.1\r\nHost: x\r\n",
        b"GET /x HTTP/1.1\r\nHost: x\r\n\r\nx",
        b"GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /x HTTP/1.1\r\n" + b"A: b\r\n" * 128 + b"Host: x\r\n\r\n",
    ],
)
def test_heads_that_are_not_for_the_quick_way(head: bytes) -> None:
    assert quick.read(head) is None


def test_what_it_reads() -> None:
    key, target = quick.read(b"GET /a//b?c HTTP/1.1\r\nHOST:  h:80 \r\naccept-encoding: gzip, br\r\n\r\n") or ((b"", ()), b"")
    assert key == (b"/a/b", accepted(b"gzip, br")) and target == b"/a//b?c"


def test_an_empty_line_before_each(wire: Wire, quickly: list[bytes]) -> None:
    for _ in range(3):
        wire.send(b"\r\n")
        wire.send(b"GET /static/hello.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer()[1] == b"hello"
    assert quickly


def test_byte_by_byte(wire: Wire) -> None:
    for _ in range(2):
        for byte in b"GET /static/hello.txt HTTP/1.1\r\nHost: x\r\n\r\n":
            wire.send(bytes([byte]))
        assert wire.answer()[1] == b"hello"
