"""A part: hidden until whole, published in one step, locked while it lives."""

import errno
import fcntl
import hashlib
import os
from pathlib import Path

import pytest
from svckit.conditional import etag_of
from uploadsvc.part import MODE, Part


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    folder = tmp_path / ".parts"
    folder.mkdir()
    return folder


def test_published_as_it_was_written(tmp_path: Path, hidden: Path) -> None:
    part = Part(tmp_path, hidden, hashes=True)
    part.append([b"abc", bytearray(b"def")])
    part.append([b"g"])
    assert not (tmp_path / "x").exists() and len(list(hidden.iterdir())) == 1
    published = part.commit(7, "x")
    assert (tmp_path / "x").read_bytes() == b"abcdefg"
    assert list(hidden.iterdir()) == []
    assert published.sha256 == hashlib.sha256(b"abcdefg").digest()
    assert (published.name, published.size, published.replaced) == ("x", 7, False)
    assert published.etag == etag_of(os.stat(tmp_path / "x"))
    assert (tmp_path / "x").stat().st_mode & 0o777 == MODE & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_empty_file(tmp_path: Path, hidden: Path) -> None:
    assert Part(tmp_path, hidden).commit(0, "x").size == 0
    assert (tmp_path / "x").read_bytes() == b""


def test_many_small_pieces(tmp_path: Path, hidden: Path) -> None:
    part = Part(tmp_path, hidden)
    part.append([b"%d," % i for i in range(2000)])
    whole = b"".join(b"%d," % i for i in range(2000))
    part.commit(len(whole), "x")
    assert (tmp_path / "x").read_bytes() == whole


def test_short_writes_lose_nothing(tmp_path: Path, hidden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "writev", lambda fd, batch: os.write(fd, b"".join(batch)[:3]))
    part = Part(tmp_path, hidden)
    part.append([b"abcd", b"efgh"])
    part.commit(8, "x")
    assert (tmp_path / "x").read_bytes() == b"abcdefgh"


def test_replaces_in_one_step(tmp_path: Path, hidden: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    reader = (tmp_path / "x").open("rb")
    part = Part(tmp_path, hidden)
    part.append([b"new"])
    assert (tmp_path / "x").read_bytes() == b"old"
    assert part.commit(3, "x").replaced
    assert (tmp_path / "x").read_bytes() == b"new"
    assert reader.read() == b"old", "who reads the old one goes on reading it"
    reader.close()


def test_exclusive_refuses_to_replace(tmp_path: Path, hidden: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    part = Part(tmp_path, hidden)
    part.append([b"new"])
    with pytest.raises(FileExistsError):
        part.commit(3, "x", exclusive=True)
    part.discard()
    assert (tmp_path / "x").read_bytes() == b"old" and list(hidden.iterdir()) == []


def test_exclusive_publishes_a_new_one(tmp_path: Path, hidden: Path) -> None:
    part = Part(tmp_path, hidden)
    part.append([b"new"])
    assert not part.commit(3, "x", exclusive=True).replaced
    assert os.stat(tmp_path / "x").st_nlink == 1 and list(hidden.iterdir()) == []


def test_a_symlink_under_the_final_name_is_replaced_not_followed(tmp_path: Path, hidden: Path) -> None:
    (tmp_path / "target").write_bytes(b"keep")
    (tmp_path / "x").symlink_to("target")
    part = Part(tmp_path, hidden)
    part.append([b"new"])
    part.commit(3, "x")
    assert (tmp_path / "target").read_bytes() == b"keep" and not (tmp_path / "x").is_symlink()


def test_a_folder_under_the_final_name(tmp_path: Path, hidden: Path) -> None:
    (tmp_path / "x").mkdir()
    part = Part(tmp_path, hidden)
    with pytest.raises(OSError) as raised:
        part.commit(0, "x")
    assert raised.value.errno == errno.EISDIR
    part.discard()
    assert list(hidden.iterdir()) == []


def test_another_size_than_said_is_never_published(tmp_path: Path, hidden: Path) -> None:
    part = Part(tmp_path, hidden)
    part.append([b"abc"])
    with pytest.raises(OSError, match="3 bytes written of 4"):
        part.commit(4, "x")
    part.discard()
    assert not (tmp_path / "x").exists()


def test_discard_leaves_nothing_also_twice_and_before_anything(tmp_path: Path, hidden: Path) -> None:
    part = Part(tmp_path, hidden)
    part.discard()
    part.append([b"abc"])
    part.discard()
    part.discard()
    assert list(hidden.iterdir()) == []


def test_discard_after_commit_keeps_the_file(tmp_path: Path, hidden: Path) -> None:
    part = Part(tmp_path, hidden)
    part.commit(0, "x")
    part.discard()
    assert (tmp_path / "x").exists()


def test_file_is_synced_before_and_folder_after_the_rename(
    tmp_path: Path, hidden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        seen.append((os.path.isdir(f"/proc/self/fd/{fd}"), (tmp_path / "x").exists()))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    Part(tmp_path, hidden).commit(0, "x")
    assert seen == [(False, False), (True, True)]


def test_locked_while_written(tmp_path: Path, hidden: Path) -> None:
    part = Part(tmp_path, hidden)
    part.append([b"a"])
    with open(next(hidden.iterdir())) as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    part.discard()
