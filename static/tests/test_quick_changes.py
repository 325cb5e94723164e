"""The quick way while the folder changes, or the client goes: what is on the disk now is what is answered."""

import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from svckit import sendfile
from tests.support.wire import Wire

pytestmark = pytest.mark.usefixtures("nothing_leaks")


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
    assert wire.bodies("/static/sub/index.html", 2) == [b"<p>sub"] * 2
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
        wire.get_again("/static/big.bin")
        os.truncate(root / "big.bin", 10)
        with pytest.raises((AssertionError, ConnectionError)):
            wire.answer()
        assert wire.lost == 1
    finally:
        wire.close()


def test_a_client_that_leaves_midway(site: Any) -> None:
    wire = Wire(site, buffer=4096)
    wire.get_again("/static/big.bin")
    assert wire.channel.requests
    wire.close()
    assert wire.lost == 1


def test_a_client_that_takes_nothing_is_cut(site: Any, make: Any) -> None:
    wire = Wire(site, buffer=4096)
    wire.get_again("/static/big.bin")
    clock: Clock = site.clock
    clock.advance(sendfile.STALL - 1)
    wire.reactor.advance(0)
    assert wire.lost == 0
    clock.advance(2)
    wire.reactor.advance(0)
    assert wire.lost == 1
    wire.close()
