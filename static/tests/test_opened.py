"""Files that stay open: when they are lent, when they are closed, how many they are."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from staticsvc import opened
from staticsvc.opened import IDLE, Opened
from twisted.internet.task import Clock

from tests.support.descriptors import no_descriptor_leaks
from tests.support.wire import Wire


class File:
    """A file that is what it was as long as `same`."""

    fd = -1
    lent = False

    def __init__(self, there: bool = True) -> None:
        self.same, self.there, self.times = True, there, 0

    def open(self) -> int:
        self.times += 1
        return os.open("/", os.O_PATH) if self.there else -1

    def holds(self) -> bool:
        return self.same


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Iterator[Opened]:
    with no_descriptor_leaks():
        kept = Opened(clock)
        yield kept
        kept.end()
    assert not clock.getDelayedCalls()


def test_it_is_opened_once(kept: Opened) -> None:
    file = File()
    fd = kept.lend(file)
    assert fd >= 0 and [kept.lend(file), kept.lend(file)] == [fd, fd] and file.times == 1


def test_what_is_not_the_same_is_closed_and_not_lent(kept: Opened) -> None:
    file = File()
    kept.lend(file)
    file.same = False
    assert kept.lend(file) == -1 and file.fd == -1 and len(kept) == 0


def test_what_cannot_be_opened(kept: Opened, clock: Clock) -> None:
    assert kept.lend(File(there=False)) == -1 and len(kept) == 0 and not clock.getDelayedCalls()


def test_what_is_not_asked_for_is_closed(kept: Opened, clock: Clock) -> None:
    used, left = File(), File()
    kept.lend(used), kept.lend(left)
    clock.advance(IDLE)
    assert len(kept) == 2
    kept.lend(used)
    clock.advance(IDLE)
    assert used.fd >= 0 and left.fd == -1
    clock.advance(2 * IDLE)
    assert len(kept) == 0 and not clock.getDelayedCalls()
    assert kept.lend(left) >= 0, "and opened again"


def test_what_was_replaced_is_closed_though_nobody_asks(kept: Opened, clock: Clock) -> None:
    file = File()
    kept.lend(file)
    file.same = False
    clock.advance(IDLE)
    assert file.fd == -1


def test_they_are_bounded_and_the_oldest_goes(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MOST_OPEN", 2)
    kept, files = Opened(clock), [File() for _ in range(3)]
    for file in files:
        kept.lend(file)
    assert [file.fd >= 0 for file in files] == [False, True, True] and len(kept) == 2
    kept.end()
    assert kept.lend(files[0]) == -1, "after the end nothing is opened"


def test_few_descriptors_few_files(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (3 * opened.SHARE, 4096))
    kept = Opened(clock)
    for _ in range(5):
        kept.lend(File())
    assert len(kept) == 3
    kept.end()


@pytest.mark.parametrize("way", ["hello.txt", "sub/deep/x.bin"])
def test_a_site_keeps_what_is_asked_for_again(make: Any, root: Path, way: str) -> None:
    client = make()
    wire = Wire(client.site)
    text = (root / way).read_bytes()
    assert wire.bodies(f"/static/{way}", 3) == [text] * 3
    assert len(client.site.hot.opened) == 1
    (root / way).unlink()
    wire.get(f"/static/{way}")
    assert b" 404 " in wire.answer()[0] and len(client.site.hot.opened) == 0
    wire.close()


def test_a_folder_on_the_way_that_is_moved_out_and_linked(make: Any, root: Path) -> None:
    wire = Wire(make().site)
    assert wire.bodies("/static/sub/deep/x.bin", 3) == [b"deep"] * 3
    (root / "sub").rename(root.parent / "moved")
    (root / "sub").symlink_to(root.parent / "moved")
    wire.get("/static/sub/deep/x.bin")
    assert b" 404 " in wire.answer()[0], "the file is open, and the same one; but it is reached by a link"
    wire.close()


def test_a_root_that_is_swapped(make: Any, root: Path) -> None:
    (root.parent / "next").mkdir()
    (root.parent / "next/hello.txt").write_text("next")
    (root.parent / "current").symlink_to(root)
    wire = Wire(make(root=str(root.parent / "current")).site)
    for _ in range(3):
        wire.get("/static/hello.txt")
        assert wire.answer()[1] == b"hello"
    (root.parent / "new").symlink_to(root.parent / "next")
    (root.parent / "new").rename(root.parent / "current")
    wire.get("/static/hello.txt")
    assert wire.answer()[1] == b"next"
    wire.close()
