"""Small files published together: one's failure is no other's, and no answer before all is durable."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from uploadsvc.instant import LARGE, publish_at_once
from uploadsvc.part import Published
from uploadsvc.quota import OWNER, OverQuota, Quota
from uploadsvc.refusals import DISK_FULL
from uploadsvc.small import Small, publish_all
from uploadsvc.store import Store

from tests.support.descriptors import no_descriptor_leaks


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    store.prepare(0)
    with no_descriptor_leaks():
        yield store
    assert not list(store.hidden.iterdir()), "nothing is left behind"


def small(name: str, *pieces: bytes, user: str = "") -> Small:
    return Small(name, pieces, sum(map(len, pieces)), user)


def finals(store: Store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.root.iterdir() if path.is_file()}


def failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int, code: int = errno.ENOSPC) -> None:
    """The call with that number, counted from 0, fails."""
    real, made = getattr(os, call), iter(range(10**6))

    def maybe(*given: Any, **named: Any) -> Any:
        if next(made) == number:
            raise OSError(code, os.strerror(code))
        return real(*given, **named)

    monkeypatch.setattr(os, call, maybe)


def test_many_at_once(store: Store) -> None:
    (store.root / "b").write_bytes(b"old")
    found = publish_all(store, [small("a", b"1", b"23"), small("b", b"new"), small("empty")])
    assert [(each.name, each.size, each.replaced) for each in found if isinstance(each, Published)] == [
        ("a", 3, False), ("b", 3, True), ("empty", 0, False)
    ]  # fmt: skip
    assert finals(store) == {"a": b"123", "b": b"new", "empty": b""}
    about = store.about("a")
    assert isinstance(found[0], Published) and about is not None and found[0].etag == about.etag
    assert stat.S_IMODE((store.root / "a").stat().st_mode) == 0o640


def test_two_of_one_name_come_one_behind_the_other(store: Store) -> None:
    found = publish_all(store, [small("x", b"first"), small("x", b"second")])
    assert [each.replaced for each in found if isinstance(each, Published)] == [False, True]
    assert finals(store) == {"x": b"second"}


@pytest.mark.parametrize(("call", "number"), [("writev", 1), ("open", 1), ("fsync", 1), ("rename", 1)])
def test_a_full_disk_in_the_middle(store: Store, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    failing(monkeypatch, call, number)
    found = publish_all(store, [small(name, name.encode()) for name in "abc"])
    monkeypatch.undo()
    assert [type(each) for each in found] == [Published, OSError, Published]
    assert finals(store) == {"a": b"a", "c": b"c"}


@pytest.mark.parametrize(("call", "number"), [("writev", 1), ("open", 3), ("fstat", 1), ("rename", 1)])
def test_a_full_memory_in_the_middle(store: Store, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    failing(monkeypatch, call, number)
    found = publish_at_once(store, [small(name, name.encode()) for name in "abc"])
    monkeypatch.undo()
    assert found is not None and [type(each) for each in found] == [Published, OSError, Published]
    assert finals(store) == {"a": b"a", "c": b"c"}


@pytest.mark.parametrize("number", [0, 1])
def test_no_descriptors_for_the_folders(store: Store, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    failing(monkeypatch, "open", number, errno.EMFILE)
    found = publish_at_once(store, [small("a", b"1")])
    monkeypatch.undo()
    assert found is None and finals(store) == {}


@pytest.mark.parametrize("publish", [publish_all, publish_at_once])
def test_a_folder_in_the_way_is_one_ones_failure(store: Store, publish: Any) -> None:
    (store.root / "b").mkdir()
    found = publish(store, [small(name, b"1") for name in "abc"])
    assert [type(each) for each in found] == [Published, IsADirectoryError, Published]
    assert finals(store) == {"a": b"1", "c": b"1"}


def test_what_would_leave_too_little_free(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quota, "spare", lambda self: 25)
    monkeypatch.setattr(Quota, "refusal_for_space", lambda self, length, name: None if length < 5 else DISK_FULL)
    found = publish_all(store, [small("a", b"x" * 20), small("b", b"x" * 20), small("small", b"x"), small("c", b"x" * 20)])
    assert [type(each) for each in found] == [Published, OverQuota, Published, OverQuota]


def test_no_lock_no_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kind: int, how: int = 0) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Store, "_lock", lambda self, kind, how=0: refuse(kind))
    found = publish_all(store, [small("a", b"1"), small("b", b"2")])
    assert [getattr(each, "errno", 0) for each in found] == [errno.EMFILE] * 2 and finals(store) == {}
    assert publish_at_once(store, [small("a", b"1")]) is None


def test_first_the_bytes_then_the_names_then_the_folder(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(fd: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else f"{os.fstat(fd).st_size} bytes")
        fsync(fd)

    def renamed(*names: str) -> None:
        done.append("name")
        rename(*names)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    publish_all(store, [small("a", b"1"), small("b", b"22")])
    assert done == ["1 bytes", "2 bytes", "name", "name", "folder"]


def test_a_folder_that_cannot_be_made_durable(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "fsync", 1, errno.EIO)
    assert isinstance(publish_all(store, [small("a", b"1")])[0], Published), "it stands there, and all see it"


def test_whose_it_is_and_its_sum(store: Store) -> None:
    store.hashes = True
    (found,) = publish_all(store, [small("a", b"a", b"bc", user="ann")])
    assert isinstance(found, Published) and found.sha256 is not None and found.sha256.hex().startswith("ba7816bf")
    with_owner = os.getxattr(store.root / "a", OWNER)
    assert with_owner == b"ann"


def test_at_once_where_nothing_has_to_be_waited_for(store: Store) -> None:
    (store.root / "b").write_bytes(b"old")
    found = publish_at_once(store, [small("a", b"1"), small("b", b"2"), small("a", b"3")])
    assert found is not None and [getattr(each, "replaced", None) for each in found] == [False, True, True]
    assert finals(store) == {"a": b"3", "b": b"2"}


def test_in_memory_there_is_nothing_for_fsync_to_do(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(os, "fsync", done.append)
    assert publish_at_once(store, [small("a", b"1"), small("b", b"2")]) is not None and not done
    publish_all(store, [small("a", b"1"), small("b", b"2")])
    assert len(done) == 3, "each of them, and the folder"


def test_not_at_once_where_a_condition_holds_the_lock(store: Store) -> None:
    with store._while_it_holds("a", lambda about: True):
        assert publish_at_once(store, [small("a", b"1")]) is None
    with store._while_it_holds("a", None):
        assert publish_at_once(store, [small("a", b"1")]) is not None, "those that do not mind share it"


def test_not_at_once_in_place_of_a_large_file(store: Store) -> None:
    (store.root / "a").touch()
    os.truncate(store.root / "a", LARGE + 1)
    assert publish_at_once(store, [small("b", b"1"), small("a", b"1")]) is None
    assert set(finals(store)) == {"a"}


def test_not_at_once_with_a_name_that_the_locale_does_not_have(store: Store) -> None:
    files = [small(name, b"1") for name in ("a", "\udcff\ud800", "b")]
    assert publish_at_once(store, files) is None
    assert [type(each) for each in publish_all(store, files)] == [Published, UnicodeEncodeError, Published]
    assert finals(store) == {"a": b"1", "b": b"1"}
