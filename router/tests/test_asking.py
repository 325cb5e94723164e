"""`portico route`: questions in words, and the answers."""

from pathlib import Path

import pytest
from portico.asking import BadQuestion, preface_of, request_of
from portico.cli import main
from portico.core.clienthello import TlsFacts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /x", b"GET /x HTTP/1.0\r\n\r\n"),
        ("GET /x HTTP/1.1", b"GET /x HTTP/1.1\r\n\r\n"),
        ("  GET   /x  ", b"GET /x HTTP/1.0\r\n\r\n"),
        ("GET /x HTTP/1.0", b"GET /x HTTP/1.0\r\n\r\n"),
        ("GET /x Host: y", b"GET /x HTTP/1.1\r\nHost: y\r\n\r\n"),
        ("GET /x Host: y X-Env: deep blue A:", b"GET /x HTTP/1.1\r\nHost: y\r\nX-Env: deep blue\r\nA: \r\n\r\n"),
        ("GET http://h:80/x Referer: http://a:1/b", b"GET http://h:80/x HTTP/1.0\r\nReferer: http://a:1/b\r\n\r\n"),
        ("GET /x HTTP/1.1\r\nHost: y\r\nA: b\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: y\r\nA: b\r\n\r\n"),
        ("GET /ü", "GET /ü HTTP/1.0\r\n\r\n".encode()),
        ("GET /\udcff", b"GET /\xff HTTP/1.0\r\n\r\n"),
    ],
)
def test_requests(text: str, expected: bytes) -> None:
    assert request_of(text) == expected


@pytest.mark.parametrize("text", ["", "GET", "/x", "GET /x y", "Host: y", "GET /x y Host: z"])
def test_what_is_no_request(text: str) -> None:
    with pytest.raises(BadQuestion, match="expected a request such as"):
        request_of(text)


def question(request: str | None = None, **given: object) -> object:
    whole = {"sni": None, "alpn": [], "data": None, "silence": None, **given}
    return preface_of(request, **whole)  # type: ignore[arg-type]


def test_other_questions() -> None:
    assert question(sni="A.org.", alpn=["h2"]).tls == TlsFacts(b"a.org", (b"h2",))  # type: ignore[attr-defined]
    inside = question("GET /x", sni="a.org")
    assert inside.tls_ends_here  # type: ignore[attr-defined]
    assert inside.data.startswith(b"GET /x ")  # type: ignore[attr-defined]
    assert question(data="53 53").data == b"SS"  # type: ignore[attr-defined]
    assert question(silence=0.5).silent == 0.5  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("request_", "given", "why"),
    [
        (None, {}, "expected one of"),
        ("GET /", {"data": "00"}, "expected one of"),
        (None, {"sni": "a", "silence": 1.0}, "expected one of"),
        (None, {"data": "0"}, "pairs of hexadecimal"),
        (None, {"sni": "ü"}, "expected ASCII"),
    ],
)
def test_bad_questions(request_: str | None, given: dict[str, object], why: str) -> None:
    with pytest.raises(BadQuestion, match=why):
        question(request_, **given)


CONFIG = """
[[listeners]]
address = "127.0.0.1:0"
[[routes]]
prefix = "/a/"
service = "a"
[[routes]]
prefix = "/a/"
host = "x.org"
service = "b"
[[routes]]
ssh = true
service = "ssh"
[[routes]]
silence = 0.5
service = "mail"
[services]
a = { target = "handoff" }
b = { target = "handoff" }
ssh = { target = "tcp", address = "localhost:22", keepalive = "pin" }
mail = { target = "tcp", address = "localhost:25", keepalive = "pin" }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "portico.toml"
    path.write_text(CONFIG)
    return path


def run(file: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["route", str(file), *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("arguments", "status", "first"),
    [
        (["GET /a/x"], 0, "a: routes[0] (prefix /a/) wins"),
        (["GET", "/a/x", "Host:", "x.org"], 0, "b: routes[1] (prefix /a/, host x.org) wins"),
        (["GET /b"], 1, "no service: 404, no service owns this path"),
        (["GET /.."], 1, "no service: 400, the request line or a header is malformed"),
        (["--bytes", "5353482d322e302d"], 0, "ssh: routes[2] (ssh) wins"),
        (["--bytes", "535348"], 1, "undecided: needs more bytes"),
        (["--bytes", "00"], 1, "no service: closed without an answer, not HTTP, and nothing else matches"),
        (["--silence", "0.1"], 1, "undecided: needs more bytes, or 0.5 s of silence"),
        (["--silence", "0.5"], 0, "mail: routes[3] (silence 0.5) wins"),
        (["--tls-sni", "x.org", "--alpn", "h2", "--alpn", "x"], 1, "no service: closed without an answer"),
    ],
)
def test_the_command(file: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, first: str) -> None:
    assert run(file, *arguments) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(first)
    assert len(lines) == (4 if status == 0 else 5)
    assert all(line.startswith("  not routes[") for line in lines[1:])


def test_a_bad_question(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(file, "GET") == 2
    assert capsys.readouterr().err == "portico: expected a request such as 'GET /path Host: name', found 'GET'\n"


def test_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(CONFIG.replace("ssh = true", "ssh = false"))
    assert run(path, "GET /") == 2
    assert f"{path}: routes[2].ssh: expected `true`" in capsys.readouterr().err
