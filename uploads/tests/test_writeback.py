"""Write-back that begins early: when, for which bytes, and that nothing depends on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from uploadsvc import small, writeback
from uploadsvc.small import Small, publish_all
from uploadsvc.store import Store
from uploadsvc.writeback import Early, begin_writing

PUT = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Offset and count of each."""
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(writeback, "EARLY", 100)
    monkeypatch.setattr(writeback, "begin_writing", lambda fd, offset, count: seen.append((offset, count)))
    return seen


def test_by_and_by(begun: list[tuple[int, int]]) -> None:
    early = Early()
    for size in (99, 100, 150, 200, 1000):
        early.reached(7, size)
    assert begun == [(0, 100), (100, 100), (200, 800)]


def test_behind_what_is_somebody_else_s(begun: list[tuple[int, int]]) -> None:
    early = Early(1000)
    early.reached(7, 1099)
    early.reached(7, 1100)
    assert begun == [(1000, 100)]


def test_of_a_put(make_uploads: Callable[..., Any], begun: list[tuple[int, int]]) -> None:
    service = make_uploads()
    service.site.together = None
    connection = service.connect()
    connection.send(PUT % 250 + b"x" * 120)
    connection.send(b"x" * 130)
    assert connection.answers()[0][0] == 201 and begun == [(0, 120), (120, 130)]


def test_of_a_resumable_one(client: Any, begun: list[tuple[int, int]]) -> None:
    address = client.create(300)
    client.patch(address, 0, b"x" * 150)
    client.patch(address, 150, b"x" * 150)
    assert begun == [(0, 150), (150, 150)]


def test_of_small_ones_that_are_not_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    seen: list[int] = []
    store.prepare(0)
    monkeypatch.setattr(small, "begin_writing", seen.append)
    publish_all(store, [Small("a", [b"1"], 1)])
    assert not seen
    publish_all(store, [Small(name, [b"1"], 1) for name in "abc"])
    assert len(seen) == 3


def test_it_is_only_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.write(b"abc")
        begin_writing(file.fileno())
    begin_writing(-1)
    monkeypatch.setattr(writeback, "_call", None)
    begin_writing(-1)
    assert (tmp_path / "x").read_bytes() == b"abc"
