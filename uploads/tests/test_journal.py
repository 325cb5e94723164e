"""Events of finished uploads: told at least once, over every crash."""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from uploadsvc.journal import PATIENCE, Journal
from uploadsvc.store import Store

from .limited import files_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    root = tmp_path / "files"
    store = Store(root, journal=Journal(root))
    store.prepare(0)
    journal_of(store).prepare()
    return store


def journal_of(store: Store) -> Journal:
    assert store.journal is not None
    return store.journal


def publish(store: Store, name: str = "x", data: bytes = b"abc", exclusive: bool = False) -> None:
    part = store.new_part(user="alice")
    try:
        part.append([data])
        part.commit(len(data), name, exclusive)
    finally:
        part.discard()


def left(store: Store) -> list[str]:
    return sorted(path.suffix for path in journal_of(store).folder.iterdir() if path.name != "lock")


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_that_cannot_be_written_in_full_is_none(store: Store) -> None:
    name = "n" * 200
    with files_of(100), pytest.raises(OSError):
        publish(store, name)
    assert not (store.root / name).exists()
    journal_of(store).settle(time.time() + 2 * PATIENCE)
    assert left(store) == []


def test_told_once_in_order(store: Store, tmp_path: Path) -> None:
    heard: list[bytes] = []
    for name in "bca":
        publish(store, name, name.encode() * 5)
    assert left(store) == [".spool"] * 3
    assert journal_of(store).deliver(tmp_path / "spool", heard.append) == 3
    assert [(event["name"], event["size"], event["user"]) for event in told(tmp_path / "spool")] == [
        (name, 5, "alice") for name in "bca"
    ]
    assert b"".join(heard) == (tmp_path / "spool").read_bytes() and len(heard) == 3
    assert journal_of(store).deliver(tmp_path / "spool", heard.append) == 0 and left(store) == []
    assert set(told(tmp_path / "spool")[0]) == {"id", "time", "name", "size", "sha256", "user"}


def test_what_is_not_published_is_not_told(store: Store) -> None:
    (store.root / "x").write_bytes(b"old")
    (store.root / "y").mkdir()
    for name, exclusive in (("x", True), ("y", False)):
        with pytest.raises(OSError):
            publish(store, name, exclusive=exclusive)
    assert left(store) == []


def test_a_hook_that_fails_hears_again_and_the_spool_does_not(store: Store, tmp_path: Path) -> None:
    heard: list[bytes] = []

    def tell(line: bytes) -> None:
        heard.append(line)
        if len(heard) < 3:
            raise RuntimeError("not now")

    publish(store, "a")
    publish(store, "b")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            journal_of(store).deliver(tmp_path / "spool", tell)
        assert left(store) == [".hook", ".spool"]
    assert journal_of(store).deliver(tmp_path / "spool", tell) == 2
    assert [json.loads(line)["name"] for line in heard] == ["a", "a", "a", "b"]
    assert [event["name"] for event in told(tmp_path / "spool")] == ["a", "b"]


class Killed(BaseException):
    """As if by kill -9: nothing after it runs that a dead process would not run either."""


def crash_at(store: Store, monkeypatch: pytest.MonkeyPatch, call: str, count: int, exclusive: bool) -> bool:
    """Publish, and die at the `count`th call of `os.<call>`; whether it got that far."""
    journal, seen = journal_of(store), [0]
    real = getattr(os, call)

    def dying(*args: Any, **more: Any) -> Any:
        seen[0] += 1
        if seen[0] == count:
            raise Killed
        return real(*args, **more)

    part = store.new_part(user="alice")
    part.append([b"abc"])
    with monkeypatch.context() as patched:
        patched.setattr(os, call, dying)
        patched.setattr(Path, "unlink", lambda *_, **__: None)  # no cleaning up after death
        with suppress(Killed):
            part.commit(3, "x", exclusive)
    assert journal.root == store.root
    os.close(part._fd) if part._fd >= 0 else None  # and with it its lock
    part._fd = -1
    return seen[0] >= count


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("call", ["open", "fsync", "rename", "replace", "link"])
def test_killed_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, exclusive: bool) -> None:
    for count in range(1, 20):
        root = tmp_path / f"{count}"
        store = Store(root, journal=Journal(root))
        store.prepare(0)
        journal_of(store).prepare()
        if not crash_at(store, monkeypatch, call, count, exclusive):
            break
        journal_of(store).settle(time.time())
        journal_of(store).settle(time.time() + PATIENCE + 1)
        journal_of(store).deliver(root / ".spool", None)
        events = told(root / ".spool") if (root / ".spool").exists() else []
        published = (root / "x").exists()
        assert [event["name"] for event in events] == (["x"] if published else []), f"{call} {count}"
        assert left(store) == []
    assert count < 19


def test_an_intent_is_left_in_peace_while_it_is_young(store: Store) -> None:
    with journal_of(store).around(_source(store), "x", None, ""):
        journal_of(store).settle(time.time())
        assert left(store) == [".intent"]
        journal_of(store).settle(time.time() + PATIENCE + 1)
        assert left(store) == [], "the file is not in place, and its replica seems dead"
    assert left(store) == [".spool"], "it was not"


def _source(store: Store) -> Path:
    path = store.hidden / "source.part"
    path.write_bytes(b"abc")
    return path


def test_a_file_that_was_replaced_since_is_told_of(store: Store, tmp_path: Path) -> None:
    intent = journal_of(store).around(_source(store), "x", None, "")
    intent.__enter__()
    (store.hidden / "source.part").rename(store.root / "x")
    (store.root / "x").unlink()
    journal_of(store).settle(time.time() + PATIENCE + 1)
    journal_of(store).deliver(tmp_path / "spool", None)
    assert [event["name"] for event in told(tmp_path / "spool")] == ["x"]
    del intent


def test_one_replica_at_a_time_delivers(store: Store) -> None:
    publish(store)
    inner: list[int] = []
    other = Journal(store.root)
    assert journal_of(store).deliver(None, lambda line: inner.append(other.deliver(None, None))) == 1
    assert inner == [0]


def test_a_spool_that_cannot_be_written_keeps_the_event(store: Store, tmp_path: Path) -> None:
    publish(store)
    with pytest.raises(OSError):
        journal_of(store).deliver(tmp_path, None)
    assert journal_of(store).deliver(tmp_path / "spool", None) == 1


def test_a_line_that_the_disk_has_cut_is_told_whole(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        publish(store, name)
    write = os.write
    with monkeypatch.context() as patched, pytest.raises(OSError, match="cut"):
        patched.setattr(os, "write", lambda fd, data: write(fd, data if b'"a"' in data else data[:20]))
        journal_of(store).deliver(tmp_path / "spool", None)
    journal_of(store).deliver(tmp_path / "spool", None)
    assert [event["name"] for event in told(tmp_path / "spool")] == ["a", "b"]


def test_all_ways_in_are_told_of(make_uploads: Callable[..., Any], tmp_path: Path) -> None:
    service = make_uploads(spool=str(tmp_path / "spool"), sha256="always")
    connection = service.connect()
    connection.ask("PUT", "/uploads/a", b"abc")
    form = b'--b\r\nContent-Disposition: form-data; name="f"; filename="b"\r\n\r\nabc\r\n--b--\r\n'
    connection.ask("POST", "/uploads/", form, Content_Type="multipart/form-data; boundary=b")
    tus = {"Tus_Resumable": "1.0.0", "Upload_Length": "3", "Content_Type": "application/offset+octet-stream"}
    connection.ask("POST", "/uploads/", b"abc", Upload_Metadata="filename Yw==", **tus)
    service.site.intake.store.journal.deliver(tmp_path / "spool", None)
    events = told(tmp_path / "spool")
    assert [(event["name"], event["size"], event["sha256"] is None) for event in events] == [
        ("a", 3, False), ("b", 3, False), ("c", 3, True),
    ]  # fmt: skip
