"""The quick way of a small PUT: that it answers as the ordinary way does, and leaves to that one whatever is special."""

from collections.abc import Callable
from typing import Any

import pytest
from uploadsvc import exchange, plain, quick

from tests.support.special import SPECIAL

from .requests_put import BODY, CHUNKED, GET, HEAD, chunks
from .writers import Writers

PUT = HEAD + BODY


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that went the quick way."""
    seen: list[str] = []
    original = exchange.Exchange.__init__

    def noted(self: Any, channel: Any, asked: plain.Asked) -> None:
        seen.append(asked.name)
        original(self, channel, asked)

    monkeypatch.setattr(exchange.Exchange, "__init__", noted)
    return seen


def head(*fields: str, target: str = "/uploads/x") -> bytes:
    return "\r\n".join([f"PUT {target} HTTP/1.1", "Host: x", *fields, "", ""]).encode("latin-1")


@pytest.mark.parametrize("always", ["always", "asked"])
@pytest.mark.parametrize("wish", ["", "sha-256=1", "sha-256=0", "sha-512=3, sha-256", "sha-256=,"])
@pytest.mark.parametrize("target", ["/uploads/x", "/uploads//a%20b%C3%A4?q=1", "/uploads/folder"])
def test_the_answer_is_the_same(
    make_uploads: Callable[..., Any], quickly: list[str], target: str, wish: str, always: str
) -> None:
    wishes = {"Want_Repr_Digest": wish} if wish else {}
    answers = []
    for way in ("quick", "ordinary"):
        service = make_uploads(sha256=always)
        (service.root / "folder").mkdir(exist_ok=True)
        if way == "ordinary":
            service.site.together = None
        for _ in range(2):
            answers.append(service.connect().ask("PUT", target, b"abc", **wishes))
        for path in service.root.iterdir():
            if path.is_file():
                assert path.read_bytes() == b"abc"
                path.unlink()
    for _, headers, _ in answers:
        assert headers.pop("etag", '"') and headers.pop("date") and headers.pop("server")
    for _, headers, _ in answers[2:]:
        headers.pop("connection", None)
    assert answers[:2] == answers[2:] and len(quickly) == 2
    assert [answer[0] for answer in answers[:2]] == ([409, 409] if "folder" in target else [201, 200])


@pytest.mark.parametrize("step", [1, 7, 100, len(HEAD), 10**6])
def test_in_pieces_of_every_size(service: Any, quickly: list[str], step: int) -> None:
    connection = service.connect()
    for at in range(0, len(PUT), step):
        connection.send(PUT[at : at + step])
    assert connection.answers()[0][0] == 201 and service.files() == {"x": BODY} and service.site.intake.under_way == 0
    assert len(quickly) == (step >= len(HEAD)), "a head that comes in pieces goes the ordinary way"


@pytest.mark.parametrize(
    "field",
    [
        *SPECIAL,
        "Content-Range: bytes 0-2/3",
        "Content-Encoding: gzip",
        "Content-Digest: sha-256=::",
        "repr-digest: x",
        "If-None-Match: *",
        'IF-MATCH: "x"',
        "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        "X: " + "y" * plain.LONGEST_HEAD,
    ],
)
def test_what_is_special_is_left_alone(field: str) -> None:
    fields = ("Content-Length: 3", "Connection: keep-alive", "Authorization: Basic YTpi", "Content-Type: text/html")
    assert plain.read(head(*fields) + b"abc") == plain.Asked(b"/uploads/x", "x", 3, len(head(*fields)))
    assert plain.read(head(*fields, field) + b"abc") is None


@pytest.mark.parametrize(
    "data",
    [
        head(),
        head("Content-Length:"),
        head("Content-Length: -1"),
        head("Content-Length: +1"),
        head("Content-Length: 1, 1"),
        head("Content-Length: \xb2"),
        head("Content-Length: " + "0" * 20 + "1"),
        head("Content-Length: 3", target="/uploads/"),
        head("Content-Length: 3", target="/uploads/.x"),
        head("Content-Length: 3", target="/uploads/.metrics"),
        head("Content-Length: 3", target="/uploads/a/b"),
        head("Content-Length: 3", target="/uploads/\xe4"),
        head("Content-Length: 3", target="/uploads/a%2fb"),
        head("Content-Length: 3", target="/uploads/../x"),
        head("Content-Length: 3", target="/uploads/%zz"),
        head("Content-Length: 3", target="/uploads/" + "x" * 256),
        head("Content-Length: 3", target="/other/x"),
        head("Content-Length: 3", target="http://x/uploads/x"),
        head("Content-Length: 3").replace(b"1.1", b"1.0"),
        head("Content-Length: 3").replace(b"Host: x", b"Host: a b"),
        head("Content-Length: 3").replace(b"Host: x\r\n", b""),
        head("Content-Length: 3").replace(b"PUT", b"POST"),
        head("Content-Length: 3")[:-1],
        head("Content-Length: 3", *["A: b"] * 128),
        head("Content-Length: 3").replace(b"\r\n", b"\n"),
    ],
)
def test_heads_that_are_not_for_the_quick_way(data: bytes) -> None:
    assert plain.read(data) is None and plain.read(data + b"abc") is None


def test_what_it_reads() -> None:
    data = head("content-length:  0003\t", target="/uploads//%61%CC%88?x") + b"abcd"
    assert plain.read(data) == plain.Asked(b"/uploads//%61%CC%88?x", "\u00e4", 3, len(data) - 4), "in NFC"
    longest = head("Content-Length: 0", target="/uploads/" + "x" * 255)
    assert plain.read(longest) == plain.Asked(b"/uploads/" + b"x" * 255, "x" * 255, 0, len(longest))


@pytest.mark.parametrize(
    "options", [{"total_size": 10**9}, {"spool": "spool"}, {"parallel": 0}, {"max_size": len(BODY) - 1}, {"keep_free": 2**62}]
)
def test_what_bounds_it_is_looked_at_the_ordinary_way(
    make_uploads: Callable[..., Any], quickly: list[str], options: dict[str, Any]
) -> None:
    busy = options == {"parallel": 0}
    service = make_uploads(**({} if busy else options))
    if busy:
        service.site.intake.parallel = 0
    connection = service.connect()
    connection.send(HEAD)
    assert not quickly
    assert [answer[0] for answer in connection.answers()] == {
        "parallel": [503], "max_size": [413], "keep_free": [507]
    }.get(next(iter(options)), [])  # fmt: skip


def test_too_little_space_is_said_whether_the_body_is_there_or_not(
    make_uploads: Callable[..., Any], quickly: list[str]
) -> None:
    service = make_uploads(keep_free=2**62)
    assert service.connect().ask("PUT", "/uploads/x", b"abc")[0] == 507 and quickly == ["x"]
    assert service.files() == {}


def test_nobody_writes_without_the_login_that_is_needed(service: Any, quickly: list[str]) -> None:
    service.site.writers = Writers()
    connection = service.connect()
    connection.send(PUT)
    assert not quickly and connection.answers() == [] and service.finals() == {}


def test_a_large_one_that_the_kernel_cannot_move_goes_the_ordinary_way(service: Any, quickly: list[str]) -> None:
    body = b"x" * (quick.MOST + 1)
    assert service.connect().ask("PUT", "/uploads/x", body)[0] == 201 and not quickly
    assert service.connect().ask("PUT", "/uploads/x", body[1:])[0] == 200 and quickly == ["x"]


def test_two_wishes_are_one() -> None:
    one = plain.read(head("Content-Length: 3", "Want-Repr-Digest: sha-512", "want-repr-digest: sha-256=9"))
    assert one is not None and one.hashes
    other = plain.read(head("Content-Length: 3", "Want-Repr-Digest: sha-512", "want-repr-digest: sha-256=0"))
    assert other is not None and not other.hashes


def test_chunked_goes_its_way(service: Any, quickly: list[str]) -> None:
    connection = service.connect()
    connection.send(CHUNKED + chunks(BODY, 1000))
    assert connection.answers()[0][0] == 201 and not quickly


def test_put_and_get_in_turn_on_one_connection(service: Any, quickly: list[str]) -> None:
    connection = service.connect()
    for body in (b"one", b"two!"):
        assert connection.ask("PUT", "/uploads/x", body)[0] in (200, 201)
        assert connection.ask("GET", "/uploads/x")[2] == body
        assert connection.ask("DELETE", "/uploads/x")[0] == 204
    assert quickly == ["x", "x"]


def test_the_names_are_those_of_the_log(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[Any] = []
    monkeypatch.setattr(service.site, "log", logged.append)
    _, _, body = service.connect().ask("PUT", "/uploads/a%20b", b"abc")
    (one,) = logged
    assert (one.method, one.uri, one.code, one.sentLength) == (b"PUT", b"/uploads/a%20b", 201, len(body))
    assert one.getClientAddress() is not None and one.user is None


def test_what_is_counted(service: Any) -> None:
    service.connect().ask("PUT", "/uploads/x", b"abc")
    (service.root / "folder").mkdir()
    service.connect().ask("PUT", "/uploads/folder", b"abc")
    connection = service.connect()
    connection.send(HEAD + BODY[:10])
    assert service.site.intake.under_way == 1
    connection.lose()
    counts = service.site.intake.counts._counts
    found = {name: counts[f"{name} put"] for name in ("begun", "finished", "broken_off", "bytes")}
    assert found == {"begun": 3, "finished": 1, "broken_off": 2, "bytes": 16} and service.site.intake.under_way == 0


def test_a_get_behind_it_waits(make_uploads: Callable[..., Any], held: Any, quickly: list[str]) -> None:
    connection = make_uploads(held).connect()
    connection.send(HEAD + BODY[:10])
    connection.send(BODY[10:] + GET + PUT)
    assert connection.answers() == [] and len(held.jobs) == 1
    while held.jobs:
        held.run_all()
        connection.clock.advance(0)
    assert [answer[0] for answer in connection.answers()] == [201, 200, 200] and quickly == ["x"]
    assert connection.answers()[1][2] == BODY
