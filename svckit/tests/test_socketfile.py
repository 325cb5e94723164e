"""Socket files: stale ones are replaced and swept, living ones are left alone."""

import errno
import fcntl
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from svckit.handoff import socketfile
from svckit.handoff.socketfile import bind, connect, is_alive, sweep

from tests.support.descriptors import no_descriptor_leaks


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: a Unix socket's path has at most 108 bytes."""
    with no_descriptor_leaks(), tempfile.TemporaryDirectory(prefix="sf") as made:
        yield Path(made)


def dead_file(path: Path) -> None:
    bind(path).close()
    assert path.exists()


def test_bind_and_connect(folder: Path) -> None:
    path = folder / "deep" / "down" / "a.sock"
    with bind(path) as listener, connect(path) as link:
        assert not listener.getblocking()
        assert not link.getblocking()
        accepted, _ = listener.accept()
        with accepted:
            accepted.send(b"one packet")
            accepted.send(b"another")
            assert link.recv(100) == b"one packet"


def test_owner_and_group_may_connect_and_the_umask_is_put_back(folder: Path) -> None:
    before = os.umask(0o022)
    try:
        with bind(folder / "a.sock"):
            assert stat.S_IMODE((folder / "a.sock").stat().st_mode) == 0o660
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_nothing_but_the_file_is_left_in_the_folder(folder: Path) -> None:
    with bind(folder / "a.sock"):
        assert os.listdir(folder) == ["a.sock"]


def test_a_stale_file_is_replaced(folder: Path) -> None:
    path = folder / "a.sock"
    dead_file(path)
    with bind(path):
        assert is_alive(path)


def test_a_file_that_was_never_a_socket_is_replaced(folder: Path) -> None:
    path = folder / "a.sock"
    path.write_text("hello")
    with bind(path):
        assert is_alive(path)


def test_what_a_start_that_was_killed_left_is_replaced(folder: Path) -> None:
    (folder / "a.new").write_text("")
    with bind(folder / "a.sock"):
        assert os.listdir(folder) == ["a.sock"]


def test_a_living_one_is_refused_and_lives_on(folder: Path) -> None:
    path = folder / "a.sock"
    with bind(path) as living:
        with pytest.raises(OSError, match=r"a\.sock") as caught:
            bind(path)
        assert caught.value.errno == errno.EADDRINUSE
        with connect(path):
            living.accept()[0].close()


def test_a_living_one_with_a_full_backlog_is_alive(folder: Path) -> None:
    path = folder / "a.sock"
    with bind(path):
        waiting = []
        with pytest.raises(BlockingIOError):
            for _ in range(10_000):
                waiting.append(connect(path))
        assert is_alive(path)
        with pytest.raises(OSError, match=r"a\.sock"):
            bind(path)
        for each in waiting:
            each.close()


def test_a_path_that_is_too_long_is_named(folder: Path) -> None:
    with pytest.raises(OSError, match=r"xxx\.sock: .*too long"):
        bind(folder / ("x" * 120 + ".sock"))
    assert os.listdir(folder) == []


def test_names_with_dots_do_not_meet(folder: Path) -> None:
    with bind(folder / "host.one-1.sock"), bind(folder / "host.two-1.sock"):
        assert sorted(os.listdir(folder)) == ["host.one-1.sock", "host.two-1.sock"]


def test_connecting_to_a_dead_one(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect(folder / "a.sock")
    dead_file(folder / "a.sock")
    with pytest.raises(ConnectionRefusedError):
        connect(folder / "a.sock")
    assert not is_alive(folder / "a.sock")
    assert not is_alive(folder / "b.sock")


def test_a_stream_socket_is_alive_but_cannot_be_linked(folder: Path) -> None:
    """As authsvc's are, which share the naming and not the folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / "a.sock"))
        listener.listen()
        with pytest.raises(OSError, match="type") as caught:
            connect(folder / "a.sock")
        assert caught.value.errno == errno.EPROTOTYPE
        assert is_alive(folder / "a.sock")


def test_sweep_removes_the_dead_and_leaves_the_living(folder: Path) -> None:
    for name in ("b.sock", "c.sock"):
        dead_file(folder / name)
    (folder / "notes.txt").write_text("mine")
    with bind(folder / "a.sock"):
        sweep(folder)
        assert sorted(os.listdir(folder)) == ["a.sock", "notes.txt"]


def test_sweeping_a_folder_that_is_not_there_is_no_error(folder: Path) -> None:
    sweep(folder / "none")
    assert not (folder / "none").exists()


def test_nothing_is_swept_while_another_replica_looks_through_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its look, which found a file dead, and the removal a replica of that name may come to life."""
    monkeypatch.setattr(socketfile, "LOCK_TIME", 0.0)
    path = folder / "a.sock"
    dead_file(path)
    tried: list[int | None] = []

    def look(path: Path) -> bool:
        try:
            bind(path).close()
        except OSError as error:
            tried.append(error.errno)
        return False

    with monkeypatch.context() as patch:
        patch.setattr(socketfile, "is_alive", look)
        sweep(folder)
    assert tried == [errno.EBUSY]
    with bind(path):  # and after it, the start succeeds
        assert is_alive(path)
        sweep(folder)
        assert path.exists()


def test_a_start_waits_for_a_sweep(folder: Path) -> None:
    holder = os.open(folder, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    done = threading.Timer(0.05, os.close, (holder,))  # a lock goes with the descriptor
    done.start()
    with bind(folder / "a.sock"):
        done.join(10)
        assert is_alive(folder / "a.sock")


def test_where_the_folder_stays_locked_nothing_is_swept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socketfile, "LOCK_TIME", 0.0)
    dead_file(folder / "a.sock")
    holder = os.open(folder, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    sweep(folder)
    assert os.listdir(folder) == ["a.sock"]
    os.close(holder)
    sweep(folder)
    assert os.listdir(folder) == []


def test_a_symbolic_link_is_never_followed(folder: Path) -> None:
    with bind(folder / "a.sock") as living:
        (folder / "b.sock").symlink_to(folder / "a.sock")
        with pytest.raises(ConnectionRefusedError):
            connect(folder / "b.sock")
        with pytest.raises(BlockingIOError):
            living.accept()
        sweep(folder)
        assert os.listdir(folder) == ["a.sock"]
