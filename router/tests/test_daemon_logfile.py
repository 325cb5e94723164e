"""The log file of a daemon: rotation by size and by day, opening anew, and a disk that takes no more."""

import errno
import os
import time
from pathlib import Path

import pytest
from portico.daemon import logfile
from portico.daemon.logfile import RETRY, LogFile, Rotation

DAY = 86_400.0
NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))


class Hand:
    """A clock."""

    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


def opened(folder: Path, clock: Hand, rotation: Rotation = Rotation()) -> LogFile:  # noqa: B008
    return LogFile(folder / "x.log", rotation, clock=clock)


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_it_rotates_by_size_and_keeps_so_many(tmp_path: Path, clock: Hand) -> None:
    log = opened(tmp_path, clock, Rotation(size=4, keep=2))
    for word in ("one\n", "two\n", "three\n", "four\n"):
        log.write(word)
    assert files(tmp_path) == {"x.log": "four\n", "x.log.1": "three\n", "x.log.2": "two\n"}
    log.close()


def test_without_any_kept_the_old_one_goes(tmp_path: Path, clock: Hand) -> None:
    log = opened(tmp_path, clock, Rotation(size=4, keep=0))
    log.write("one\n")
    log.write("two\n")
    assert files(tmp_path) == {"x.log": "two\n"}


def test_it_rotates_with_the_first_line_of_a_day(tmp_path: Path, clock: Hand) -> None:
    log = opened(tmp_path, clock, Rotation(size=0, daily=True))
    log.write("Sunday\n")
    log.write("Sunday too\n")
    clock.now += DAY
    log.write("Monday\n")
    log.write("Monday too\n")
    assert files(tmp_path) == {"x.log": "Monday\nMonday too\n", "x.log.1": "Sunday\nSunday too\n"}


def test_what_an_earlier_process_wrote_yesterday_is_put_aside(tmp_path: Path, clock: Hand) -> None:
    (tmp_path / "x.log").write_text("yesterday\n")
    os.utime(tmp_path / "x.log", (NOON - DAY, NOON - DAY))
    log = opened(tmp_path, clock, Rotation(size=0, daily=True))
    log.write("today\n")
    assert files(tmp_path) == {"x.log": "today\n", "x.log.1": "yesterday\n"}


def test_the_new_file_has_the_mode_of_the_old_one(tmp_path: Path, clock: Hand) -> None:
    log = opened(tmp_path, clock)
    (tmp_path / "x.log").chmod(0o604)
    log.write("one\n")
    log.rotate()
    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o604


def test_one_that_was_moved_is_opened_anew(tmp_path: Path, clock: Hand) -> None:
    log = opened(tmp_path, clock)
    log.write("one\n")
    (tmp_path / "x.log").rename(tmp_path / "moved")
    log.write("two\n")
    log.reopen()
    log.write("three\n")
    assert files(tmp_path) == {"moved": "one\ntwo\n", "x.log": "three\n"}


def test_a_rotation_that_fails_leaves_the_file_open_and_is_tried_again(
    tmp_path: Path, clock: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path, clock, Rotation(size=4))

    def refuse(path: Path, keep: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(logfile, "_shift", refuse)
        for word in ("one\n", "two\n", "three\n"):
            log.write(word)
    text = files(tmp_path)["x.log"]
    assert text.startswith("one\n") and text.endswith("two\nthree\n")
    assert text.count("cannot be rotated, what is open stays in use: Operation not permitted") == 1
    assert list(files(tmp_path)) == ["x.log"]
    clock.now += RETRY
    log.write("four\n")
    assert files(tmp_path)["x.log"] == "four\n"
    assert files(tmp_path)["x.log.1"] == text


def test_a_file_that_cannot_be_opened_anew_stays(tmp_path: Path, clock: Hand) -> None:
    log = opened(tmp_path, clock)
    (tmp_path / "x.log").rename(tmp_path / "moved")
    (tmp_path / "x.log").mkdir()
    log.reopen()
    log.write("on\n")
    assert "cannot be opened again" in (tmp_path / "moved").read_text()
    assert (tmp_path / "moved").read_text().endswith("on\n")


def test_a_full_disk_loses_lines_and_says_how_many(tmp_path: Path, clock: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path, clock)
    log.write("before\n")
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) <= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:2])  # the disk takes a piece, and then no more

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        log.write("lost")
        log.write("lost too")
    log.write("after\n")
    assert files(tmp_path)["x.log"] == "before\n2 writes to the log were lost, as they failed\nafter\n"


def test_a_device_is_never_rotated(clock: Hand) -> None:
    before = sorted(Path("/dev").glob("null*"))  # whatever else somebody has left there
    log = LogFile(Path("/dev/null"), Rotation(size=1), clock=clock)
    log.write("one\n")
    log.write("two\n")
    log.rotate()
    log.close()
    assert sorted(Path("/dev").glob("null*")) == before


def test_root_follows_no_link(tmp_path: Path, clock: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "x.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        opened(tmp_path, clock)
    assert not (tmp_path / "elsewhere").exists()


def test_text_that_is_no_unicode_is_written(tmp_path: Path, clock: Hand) -> None:
    log = opened(tmp_path, clock)
    log.write("a \udcff name\n")
    assert files(tmp_path)["x.log"] == "a \\udcff name\n"
