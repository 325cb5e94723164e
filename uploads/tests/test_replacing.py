"""What is replaced outlives the rename, so that its space is not given back under the folder's locks."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from uploadsvc.part import put_in_place
from uploadsvc.replacing import replace
from uploadsvc.small import Small, publish_all
from uploadsvc.store import Store

from tests.support.descriptors import open_descriptors


def is_open(about: os.stat_result) -> bool:
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.path.samestat(os.fstat(int(fd)), about):
                return True
        except OSError:  # the list's own
            continue
    return False


def by_part(folder: Path) -> bool:
    (folder / "new").write_bytes(b"new")
    return put_in_place(folder / "new", folder=folder, name="x").replaced


def by_batch(folder: Path) -> bool:
    store = Store(folder)
    store.prepare(0)
    (result,) = publish_all(store, [Small("x", [b"new"], 3)])
    return getattr(result, "replaced", False)


@pytest.mark.parametrize("put", [by_part, by_batch])
def test_the_old_one_is_held_until_the_new_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], bool]
) -> None:
    (tmp_path / "x").write_bytes(b"old")
    old, seen, real = (tmp_path / "x").stat(), [], os.rename

    def rename(source: str, final: str) -> None:
        seen.append(is_open(old))
        real(source, final)
        seen.append(is_open(old))

    monkeypatch.setattr(os, "rename", rename)
    assert put(tmp_path) and seen == [True, True] and not is_open(old)
    assert (tmp_path / "x").read_bytes() == b"new"


def test_what_stands_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    before = open_descriptors()
    for name, stood in {"none": False, "link": True, "fifo": True}.items():
        (tmp_path / "new").write_bytes(b"new")
        assert replace(tmp_path / "new", tmp_path / name) is stood
        assert (tmp_path / name).read_bytes() == b"new" and not (tmp_path / name).is_symlink()
    with pytest.raises(IsADirectoryError):
        replace(tmp_path / "none", tmp_path / "folder")
    assert open_descriptors() == before

    def none_left(*_: object) -> int:
        raise OSError("none left")

    monkeypatch.setattr(os, "open", none_left)
    assert replace(tmp_path / "none", tmp_path / "link") is True
