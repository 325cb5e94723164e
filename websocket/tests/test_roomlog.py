"""What a room keeps, and who may speak for it."""

import os
from pathlib import Path

import pytest
from websocketsvc import roomlog
from websocketsvc.roomlog import NoMoreRooms, RoomLog, TakenElsewhere, sweep


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lobby.room"


def take(path: Path, history: int = 3, history_bytes: int = 1000, most: int = 5) -> RoomLog:
    return RoomLog(path, history, history_bytes, most)


def said(log: RoomLog, since: int = 0) -> list[tuple[int, bytes]]:
    return [(record.seq, bytes(record.message)) for record in log.since(since)]


def test_what_was_said_is_there_again(path: Path) -> None:
    log = take(path)
    assert (log.seq, log.gone) == (0, 0)
    for text in (b'"a"', b'{"b":1}'):
        log.append("key", text)
    epoch = log.epoch
    log.close()
    log = take(path)
    assert (log.epoch, log.seq, said(log), said(log, 1)) == (epoch, 2, [(1, b'"a"'), (2, b'{"b":1}')], [(2, b'{"b":1}')])
    log.close()


def test_one_owner_at_a_time(path: Path) -> None:
    log = take(path)
    with pytest.raises(TakenElsewhere):
        take(path)
    log.close()
    take(path).close()


@pytest.mark.parametrize("bound", [{"history": 3}, {"history": 1000, "history_bytes": 9}])
def test_so_many_are_kept_and_the_file_does_not_grow(path: Path, bound: dict[str, int]) -> None:
    log = take(path, **bound)
    for number in range(100, 1300):
        log.append("", str(number).encode())
        assert [bytes(record.message) for record in log.records][-1] == str(number).encode()
        with pytest.raises(TakenElsewhere):  # also while the file is replaced
            take(path)
    assert path.stat().st_size < 6000
    last = [(number - 99, str(number).encode()) for number in range(1300 - len(log.records), 1300)]
    assert len(last) in (2, 3)
    assert (said(log), log.gone, log.seq) == (last, last[0][0] - 1, 1200)
    epoch = log.epoch
    log.close()
    log = take(path, **bound)
    assert (said(log), log.gone, log.seq, log.epoch) == (last, last[0][0] - 1, 1200, epoch)
    log.close()


def test_one_message_is_kept_however_large(path: Path) -> None:
    log = take(path, history_bytes=2)
    log.append("", b'"large"')
    assert said(log) == [(1, b'"large"')]
    log.close()


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_line_that_was_cut_does_not_count(path: Path, cut: int) -> None:
    log = take(path)
    log.append("", b"1")
    log.append("", b"2")
    log.close()
    os.truncate(path, path.stat().st_size - cut)
    log = take(path)
    assert said(log) == [(1, b"1")]
    log.append("", b"3")
    log.close()
    log = take(path)
    assert said(log) == [(1, b"1"), (2, b"3")]
    log.close()


@pytest.mark.parametrize("content", [b"", b"{", b"hello\n", b"{}\n", b'{"epoch":"x","seq":0}\nnothing\n', b"\xff" * 100])
def test_a_file_that_is_none_of_ours_begins_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    log = take(path)
    assert (said(log), len(log.epoch)) == ([], 8)
    log.append("", b"1")
    epoch = log.epoch
    log.close()
    log = take(path)
    assert (said(log), log.epoch) == ([(1, b"1")], epoch)
    log.close()


def test_a_full_disk_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = take(path)
    log.append("", b"1")

    def half(file: int, data: bytes) -> int:
        os.write(file, data[:5])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(roomlog, "_write", half)
        with pytest.raises(OSError, match="No space"):
            log.append("", b"2")
        assert said(log) == [(1, b"1")]
    log.append("", b"3")
    log.close()
    log = take(path)
    assert said(log) == [(1, b"1"), (2, b"3")]
    log.close()


def test_not_more_rooms_than_so_many(tmp_path: Path) -> None:
    logs = [take(tmp_path / f"{name}.room", most=2) for name in "ab"]
    with pytest.raises(NoMoreRooms):
        take(tmp_path / "c.room", most=2)
    logs[0].close()
    take(tmp_path / "a.room", most=2).close()  # one that is there already
    logs[1].close()


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        take(path)


def test_quiet_rooms_go_unless_they_are_owned(tmp_path: Path) -> None:
    for name in ("old", "owned", "new"):
        take(tmp_path / f"{name}.room").close()
    for name in ("old", "owned"):
        os.utime(tmp_path / f"{name}.room", (1000, 1000))
    owned = take(tmp_path / "owned.room")
    assert sweep(tmp_path, 2000) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.room", "owned.room"]
    owned.close()
