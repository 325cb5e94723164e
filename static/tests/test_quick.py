"""The quick way: that it answers as the ordinary way does, and leaves to that one whatever is special."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from staticsvc import quick
from staticsvc.codings import accepted
from twisted.internet.task import Clock

from svckit import sendfile

from .wire import Wire

BIG = bytes(range(251)) * 8_400  # more than a turn of sending


def fields(head: bytes) -> dict[bytes, bytes]:
    first, *lines = head.split(b"\r\n")
    return {b"": first, **dict(line.split(b": ", 1) for line in lines)}


@pytest.fixture
def site(make: Any, root: Path) -> Any:
    (root / "big.bin").write_bytes(BIG)
    return make().site


@pytest.fixture
def wire(site: Any) -> Iterator[Wire]:
    wire = Wire(site)
    yield wire
    wire.close()


@pytest.fixture(autouse=True, scope="module")
def nothing_leaks() -> Iterator[None]:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The targets that went the quick way."""
    seen: list[bytes] = []
    original = quick.Exchange.__init__

    def noted(self: Any, channel: Any, uri: bytes) -> None:
        seen.append(uri)
        original(self, channel, uri)

    monkeypatch.setattr(quick.Exchange, "__init__", noted)
    return seen


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
    monkeypatch.setattr(quick, "_heads", {})
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
        "Range: bytes=0-1",
        'If-None-Match: "x"',
        'if-match: "x"',
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        "Connection: close",
        "Connection: Upgrade",
        "Upgrade: h2c",
        "Content-Length: 0",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Host: y",
        "Accept-Encoding: br\r\nAccept-Encoding: gzip",
        " folded: x",
        "no colon",
        "Bad Name: x",
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


def test_byte_by_byte(wire: Wire) -> None:
    for _ in range(2):
        for byte in b"GET /static/hello.txt HTTP/1.1\r\nHost: x\r\n\r\n":
            wire.send(bytes([byte]))
        assert wire.answer()[1] == b"hello"


# -- changes on disk


def test_changes_are_seen_at_once(wire: Wire, root: Path, quickly: list[bytes]) -> None:
    def body() -> bytes:
        wire.get("/static/hello.txt")
        return wire.answer()[1]

    assert [body(), body()] == [b"hello", b"hello"] and len(quickly) == 1
    (root / "hello.txt").write_text("HELLO")
    assert body() == b"HELLO" and len(quickly) == 1
    assert body() == b"HELLO" and len(quickly) == 2
    (root / "new").write_text("newer")
    (root / "new").rename(root / "hello.txt")
    assert body() == b"newer"
    (root / "hello.txt").unlink()
    (root / "hello.txt").symlink_to(root.parent / "outside.txt")
    assert b"404" in body()
    (root / "hello.txt").unlink()
    (root / "hello.txt").mkdir()
    wire.get("/static/hello.txt")
    assert b"301" in wire.answer()[0]


def test_a_folder_that_became_a_link(wire: Wire, root: Path) -> None:
    for _ in range(2):
        wire.get("/static/sub/index.html")
        assert wire.answer()[1] == b"<p>sub"
    (root / "sub").rename(root.parent / "sub")
    (root / "sub").symlink_to(root.parent / "sub")
    wire.get("/static/sub/index.html")
    assert b" 404 " in wire.answer()[0]


def test_a_form_that_comes_and_goes(wire: Wire, root: Path, quickly: list[bytes]) -> None:
    def body() -> bytes:
        wire.get("/static/hello.txt", "Accept-Encoding: gzip, br")
        return wire.answer()[1]

    assert [body(), body()] == [b"hello", b"hello"] and len(quickly) == 1
    (root / "hello.txt.gz").write_text("gz")
    assert [body(), body()] == [b"gz", b"gz"] and len(quickly) == 2
    (root / "hello.txt.br").write_text("br")
    assert [body(), body()] == [b"br", b"br"] and len(quickly) == 3
    (root / "hello.txt").write_text("changed")
    assert [body(), body()] == [b"changed", b"changed"] and len(quickly) == 4, "both forms are of the old one"
    (root / "hello.txt.br").unlink()
    (root / "hello.txt.br").mkdir()
    assert body() == b"changed"


def test_a_file_that_becomes_shorter_while_it_is_sent(site: Any, root: Path) -> None:
    wire = Wire(site, buffer=4096)
    try:
        wire.get("/static/big.bin")
        wire.answer()
        wire.get("/static/big.bin")
        os.truncate(root / "big.bin", 10)
        with pytest.raises((AssertionError, ConnectionError)):
            wire.answer()
        assert wire.lost == 1
    finally:
        wire.close()


def test_a_client_that_leaves_midway(site: Any) -> None:
    wire = Wire(site, buffer=4096)
    wire.get("/static/big.bin")
    wire.answer()
    wire.get("/static/big.bin")
    assert wire.channel.requests
    wire.close()
    assert wire.lost == 1


def test_a_client_that_takes_nothing_is_cut(site: Any, make: Any) -> None:
    wire = Wire(site, buffer=4096)
    wire.get("/static/big.bin")
    wire.answer()
    clock: Clock = site.clock
    wire.get("/static/big.bin")
    clock.advance(sendfile.STALL - 1)
    wire.reactor.advance(0)
    assert wire.lost == 0
    clock.advance(2)
    wire.reactor.advance(0)
    assert wire.lost == 1
    wire.close()


# -- who it belongs to


OURS = (("/static/", True), ("/other/", False))


def test_a_request_of_anothers_goes_back(site: Any, quickly: list[bytes]) -> None:
    wire = Wire(site, OURS)
    for _ in range(2):
        wire.get("/static/hello.txt")
        assert wire.answer()[1] == b"hello"
    assert len(quickly) == 1
    wire.ownership.update((("/static/", True), ("/static/hello.txt", False)))
    wire.get("/static/hello.txt")
    assert wire.back == [b"GET /static/hello.txt HTTP/1.1\r\nHost: x\r\n\r\n"] and len(quickly) == 1
    wire.close()


def test_the_first_request_is_never_asked_about(site: Any, quickly: list[bytes]) -> None:
    wire = Wire(site)
    wire.get("/static/hello.txt")
    wire.answer()
    wire.close()
    wire = Wire(site, (("/other/", True),))
    wire.get("/static/hello.txt")
    assert wire.answer()[1] == b"hello" and len(quickly) == 1
    wire.close()


def test_draining_ends_what_is_idle_and_not_what_is_sent(site: Any) -> None:
    wire = Wire(site, OURS, buffer=4096)
    for _ in range(2):
        wire.get("/static/hello.txt")
        wire.answer()
    wire.get("/static/big.bin")
    wire.answer()
    wire.get("/static/big.bin")
    wire.channel.drain()
    assert not wire.back
    assert wire.answer()[1] == BIG
    assert wire.back == [b""], "handed back when all is out"
    wire.close()


def test_what_is_protected_is_never_prepared(make: Any) -> None:
    site = make().site
    wire = Wire(site)
    for _ in range(2):
        wire.get("/static/private/inner/secret.txt", "Authorization: yes")
        assert wire.answer()[1] == b"secret"
    wire.get("/static/private/inner/secret.txt")
    assert b" 401 " in wire.answer()[0] and len(site.hot) == 0
    wire.close()


# -- what is kept


def test_the_number_of_prepared_answers_is_bounded(make: Any, root: Path) -> None:
    for name in "abcdef":
        (root / name).write_text(name)
    site = make(hot_files=3).site
    wire = Wire(site)

    def get(names: str) -> None:
        for name in names:
            wire.get(f"/static/{name}")
            assert wire.answer()[1] == name.encode()

    get("abc")
    assert len(site.hot) == 3
    get("a")
    get("de")
    assert {key[0][-1:] for key in site.hot._kept} == {b"a", b"d", b"e"}, "what was used lately stays"
    wire.close()
    none = make(hot_files=0).site
    wire = Wire(none)
    get("aa")
    assert len(none.hot) == 0
    wire.close()


def test_each_request_is_logged(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from svckit import web

    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(web.access_log, "info", lambda text, **event: lines.append(event))
    wire = Wire(make().site)
    for _ in range(2):
        wire.get("/static/hello.txt?q")
        wire.answer()
    wire.close()
    assert lines[0] == lines[1] and lines[1]["uri"] == "/static/hello.txt?q" and lines[1]["sent"] == 5
    assert lines[1]["client"] == "127.0.0.1"
    silent = Wire(make(log_requests=False).site)
    silent.get("/static/hello.txt")
    silent.answer()
    silent.close()
    assert len(lines) == 2
