"""Bodies that go from socket to file inside the kernel: every byte, every end, and what comes behind."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from uploadsvc.splicing import Pipe, into_file

from tests.support.descriptors import no_descriptor_leaks

DATA = bytes(range(256)) * 2000


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    server.setblocking(False)
    yield client, server
    for sock in (client, server, listener):
        sock.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def move_all(pipe: Pipe, file: int, limit: int) -> tuple[int, bool]:
    at = 0

    def put(out: int, count: int) -> None:
        nonlocal at
        into_file(out, file, count)
        at += count

    while at < limit:
        moved = pipe.move(limit - at, put)
        if moved.ended:
            return at, True
    return at, False


def test_what_arrives_is_moved(ends: Any, file: int) -> None:
    client, server = ends
    pipe = Pipe(server.fileno())
    assert pipe.move(100, lambda *_: None) == 0, "nothing has arrived"
    client.sendall(DATA)
    assert move_all(pipe, file, 1000) == (1000, False)
    client.sendall(DATA)
    assert server.recv(5) == DATA[1000:1005], "what is beyond the limit stays in the socket"
    pipe.close()
    assert os.pread(file, 2000, 0) == DATA[:1000]


@pytest.mark.parametrize("what", ["dup", "pipe2"])
def test_where_no_descriptors_are_left_none_is_lost(ends: Any, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> Any:
        raise OSError(errno.EMFILE, "none left")

    monkeypatch.setattr(os, what, none_left)
    with no_descriptor_leaks(), pytest.raises(OSError, match="none left"):
        Pipe(ends[1].fileno())


@pytest.mark.parametrize("hard", [False, True])
def test_the_end_is_told_and_left_to_others(ends: Any, file: int, hard: bool) -> None:
    client, server = ends
    pipe = Pipe(server.fileno())
    if hard:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    else:
        client.sendall(DATA[:10])
    client.close()
    moved, ended = move_all(pipe, file, 1000)
    pipe.close()
    assert (moved, ended) == (0 if hard else 10, True)


def test_a_file_system_without_splice(ends: Any, file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = ends
    pipe, real = Pipe(server.fileno()), os.splice

    def splice(source: int, target: int, count: int, **more: Any) -> int:
        if target == file:
            raise OSError(errno.EINVAL, "no")
        return real(source, target, count, **more)

    monkeypatch.setattr(os, "splice", splice)
    client.sendall(DATA)
    assert move_all(pipe, file, len(DATA))[0] == len(DATA)
    pipe.close()
    assert os.pread(file, len(DATA) + 1, 0) == DATA


def test_a_full_disk(ends: Any, file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = ends
    pipe, real = Pipe(server.fileno()), os.splice

    def splice(source: int, target: int, count: int, **more: Any) -> int:
        if target == file:
            raise OSError(errno.ENOSPC, "full")
        return real(source, target, count, **more)

    monkeypatch.setattr(os, "splice", splice)
    client.sendall(DATA)
    with pytest.raises(OSError, match="full"):
        move_all(pipe, file, len(DATA))
    pipe.close()
