"""The folder: what is seen of it, and what is swept out of it."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest
from uploadsvc.about import About, Entry, Holds
from uploadsvc.store import ABANDONED_AFTER, HIDDEN, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "a" / "b")
    assert store.prepare(time.time()) == 0
    return store


def test_prepare_makes_the_folders_and_may_be_repeated(store: Store) -> None:
    assert store.hidden.is_dir() and store.hidden.name == HIDDEN
    store.prepare(time.time())


def test_prepare_fails_where_the_root_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        Store(tmp_path / "file").prepare(0)


def test_sweep_takes_old_parts_only(store: Store) -> None:
    for name, age in (("old.part", ABANDONED_AFTER + 60), ("young.part", ABANDONED_AFTER - 60), ("old.other", 10**6)):
        (store.hidden / name).touch()
        when = time.time() - age
        os.utime(store.hidden / name, (when, when))
    assert store.prepare(time.time()) == 1
    assert {p.name for p in store.hidden.iterdir()} == {"young.part", "old.other"}


def test_sweep_leaves_what_somebody_still_writes(store: Store) -> None:
    part = store.new_part()
    part.append([b"x"])
    assert Store(store.root).prepare(time.time() + 10 * ABANDONED_AFTER) == 0
    part.commit(1, "x")
    assert (store.root / "x").read_bytes() == b"x"


def test_sweep_survives_what_is_no_file(store: Store) -> None:
    (store.hidden / "link.part").symlink_to("/etc/passwd")
    (store.hidden / "folder.part").mkdir()
    assert store.prepare(time.time() + 10 * ABANDONED_AFTER) == 0
    assert os.path.exists("/etc/passwd")


def test_nobody_comes_between_a_condition_and_what_it_is_for(store: Store) -> None:
    def put(data: bytes, holds: Holds | None = None) -> None:
        part = store.new_part(holds=holds)
        part.append([data])
        part.commit(len(data), "x")

    put(b"old")
    other = threading.Thread(target=put, args=(b"of somebody who minds nothing",))

    def holds(about: About | None) -> bool:
        other.start()
        other.join(0.3)  # it is to come after us; where it has come by then, it is lost
        return about is not None and about.size == 3

    put(b"new", holds)
    other.join(10)
    assert (store.root / "x").read_bytes() == b"of somebody who minds nothing"


def test_open(store: Store) -> None:
    (store.root / "x").write_bytes(b"abc")
    fd, about = store.open("x")
    assert (os.read(fd, 10), about.st_size) == (b"abc", 3)
    os.close(fd)


def test_only_regular_files_exist(store: Store) -> None:
    os.mkfifo(store.root / "fifo")
    (store.root / "folder").mkdir()
    (store.root / "link").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(store.root / "socket"))
    for name in ("fifo", "folder", "link", "socket", "absent"):
        with pytest.raises(FileNotFoundError):
            store.open(name)
        with pytest.raises(FileNotFoundError):
            store.remove(name)
        assert store.about(name) is None
    assert store.listing("", 10) == ([], False)


def test_swapped_between_look_and_open(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (store.root / "x").write_bytes(b"abc")
    os.mkfifo(store.root / "fifo")
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: real(store.root / "fifo", flags))
    with pytest.raises(FileNotFoundError):
        store.open("x")


def test_running_out_of_descriptors_is_not_absence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (store.root / "x").touch()

    def fail(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError) as raised:
        store.open("x")
    assert not isinstance(raised.value, FileNotFoundError)


def test_remove(store: Store) -> None:
    (store.root / "x").touch()
    store.remove("x")
    assert store.about("x") is None


def test_listing_is_sorted_and_goes_on(store: Store) -> None:
    for name in "dbeac":
        (store.root / name).write_bytes(name.encode() * 2)
        os.utime(store.root / name, (7, 7))
    first, more = store.listing("", 3)
    assert first == [Entry("a", 2, 7), Entry("b", 2, 7), Entry("c", 2, 7)] and more
    rest, more = store.listing("c", 3)
    assert [entry.name for entry in rest] == ["d", "e"] and not more
    assert store.listing("c", 2)[1] is False


def test_listing_leaves_out_what_no_upload_could_be_called(store: Store) -> None:
    (store.root / ".hidden").touch()
    (store.root / "a\nb").touch()
    Path(os.fsdecode(os.fsencode(store.root) + b"/\xff")).touch()
    (store.root / "good").touch()
    assert [entry.name for entry in store.listing("", 10)[0]] == ["good"]
