"""The quick way takes what belongs to it, keeps no more than it may, and is logged like the other."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.wire import BIG, Wire

pytestmark = pytest.mark.usefixtures("nothing_leaks")


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
    wire.get_again("/static/big.bin")
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
