"""The first user."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from authsvc.firststart import make_first_user, read_password_file
from authsvc.hashing import make_record, verify_password
from authsvc.store import Store
from twisted.logger import LogEvent, LogLevel, formatEvent

REALMS = (b"portico",)


def test_a_random_password_is_shown_once(tmp_path: Path, log: Sequence[LogEvent]) -> None:
    store = Store(tmp_path)
    make_first_user(store, REALMS, None)
    make_first_user(store, REALMS, None)
    (event,) = [event for event in log if event["log_namespace"] == "authsvc.firststart"]
    assert event["log_level"] is LogLevel.warn
    shown = re.fullmatch(
        "first start: made user admin with password ([A-Za-z0-9_-]{24}); it is shown only this once", formatEvent(event)
    )
    assert shown is not None
    assert (event["user"], event["password"]) == ("admin", shown[1])
    stored = store.password(b"admin")
    assert stored is not None
    assert verify_password(stored, shown[1].encode())
    assert store.realms(b"admin") == REALMS


def test_no_two_first_passwords_are_the_same(tmp_path: Path, log: Sequence[LogEvent]) -> None:
    for name in ("a", "b"):
        make_first_user(Store(tmp_path / name), REALMS, None)
    assert len({event["password"] for event in log if "password" in event}) == 2


def test_a_password_from_a_file_is_not_shown(tmp_path: Path, log: Sequence[LogEvent]) -> None:
    (tmp_path / "secret").write_bytes(b"from the file\n")
    store = Store(tmp_path)
    make_first_user(store, REALMS, tmp_path / "secret")
    stored = store.password(b"admin")
    assert stored is not None
    assert verify_password(stored, b"from the file")
    assert log
    assert all("from the file" not in formatEvent(event) and "password" not in event for event in log)


def test_whoever_is_there_stays_alone(tmp_path: Path, log: Sequence[LogEvent]) -> None:
    store = Store(tmp_path)
    store.add(make_record(b"alice", b"wonderland", REALMS))
    make_first_user(store, REALMS, tmp_path / "not there, and not looked for")
    assert store.names() == [b"alice"]
    assert log == []


def test_a_replica_that_was_faster(tmp_path: Path, log: Sequence[LogEvent]) -> None:
    store, other = Store(tmp_path), Store(tmp_path)
    store.names = list  # type: ignore[method-assign]  # looked before the other one wrote
    other.add(make_record(b"admin", b"the other's", REALMS))
    make_first_user(store, REALMS, None)
    assert log == []
    stored = other.password(b"admin")
    assert stored is not None
    assert verify_password(stored, b"the other's")


@pytest.mark.parametrize(
    ("content", "password"), [(b"a", b"a"), (b"a\n", b"a"), (b"a\r\n", b"a"), (b" a b \n", b" a b "), (b"a\n \n", b"a")]
)
def test_password_files(tmp_path: Path, content: bytes, password: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert read_password_file(tmp_path / "secret") == password


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"a\nb\n"])
def test_files_without_a_password(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ValueError, match="secret"):
        read_password_file(tmp_path / "secret")
    with pytest.raises(OSError, match="nothing"):
        read_password_file(tmp_path / "nothing")
