"""The service in a process of its own: large bodies in flat memory, and what comes behind them."""

import os
import resource
from collections.abc import Callable

import pytest

from .process import BLOCK, MIB, Child, sha256_of, until


def test_300_mib_up_and_down_in_flat_memory(start: Callable[..., Child]) -> None:
    child = start()
    child.put(1, "/uploads/first")
    before = child.peak()
    assert child.put(300) == {"name": "x", "size": 300 * MIB, "sha256": sha256_of(300)}
    assert child.get_sha256() == sha256_of(300)
    assert child.peak() - before < 64 * MIB


@pytest.mark.parametrize("splice", ["yes", "no"])
def test_what_comes_behind_a_large_body_is_answered(start: Callable[..., Child], splice: str) -> None:
    child = start(0.0, f"splice={'true' if splice == 'yes' else 'false'}")
    head = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (3 * MIB)
    get = b"GET /uploads/x HTTP/1.1\r\nHost: x\r\nRange: bytes=0-3\r\n"
    with child.connect() as client:
        client.sendall(head + BLOCK * 3 + get + b"\r\n" + head + BLOCK * 3 + get + b"Connection: close\r\n\r\n")
        answer = b""
        while data := client.recv(65536):
            answer += data
    assert [answer.count(b"HTTP/1.1 %d " % status) for status in (201, 200, 206)] == [1, 1, 2]
    assert answer.count(b"\r\n\r\n" + BLOCK[:4]) == 2 and child.get_sha256() == sha256_of(3)


def test_a_large_body_where_no_descriptors_are_left_for_a_pipe(start: Callable[..., Child]) -> None:
    child = start()
    sock = child.connect()
    sock.sendall(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % MIB)
    assert b"100 Continue" in sock.recv(1000)
    used = {int(name) for name in os.listdir(f"/proc/{child.process.pid}/fd")}
    limit = next(n for n in range(3, 1000) if n - len(used & set(range(n))) == 2)  # one for the file, and one to spare
    before = resource.prlimit(child.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(child.process.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    sock.sendall(BLOCK[:100_000])
    until(lambda: [part.stat().st_size for part in child.parts()] == [100_000])
    resource.prlimit(child.process.pid, resource.RLIMIT_NOFILE, before)
    sock.sendall(BLOCK[100_000:])
    assert b" 201 " in sock.recv(1000)
    sock.close()
    assert (child.root / "x").read_bytes() == BLOCK and child.parts() == []
    until(lambda: len(os.listdir(f"/proc/{child.process.pid}/fd")) < len(used))


def test_a_slow_disk_slows_the_client_and_memory_stays_flat(start: Callable[..., Child]) -> None:
    child = start(0.02)
    child.put(1, "/uploads/first")
    before = child.peak()
    with child.connect() as client:
        client.sendall(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (120 * MIB))
        sent = 0
        for _ in range(120):
            client.sendall(BLOCK)
            sent += len(BLOCK)
            (part,) = child.parts() or (None,)
            written = part.stat().st_size if part else 0
            assert sent - written < 32 * MIB, "what is neither on disk nor held back by the socket is in memory"
        assert client.recv(1000).startswith(b"HTTP/1.1 201 ")
    assert child.peak() - before < 32 * MIB
    assert child.get_sha256() == sha256_of(120)


def test_many_at_once_in_flat_memory(start: Callable[..., Child]) -> None:
    child = start(0.0, "parallel=40")
    child.put(1, "/uploads/first")
    before = child.peak()
    clients = [child.connect() for _ in range(40)]
    for at, client in enumerate(clients):
        client.sendall(b"PUT /uploads/%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (at, 4 * MIB))
    for _ in range(4):
        for client in clients:
            client.sendall(BLOCK)
    for client in clients:
        assert client.recv(1000).startswith(b"HTTP/1.1 201 ")
        client.close()
    assert child.get_sha256("/uploads/39") == sha256_of(4)
    assert child.peak() - before < 64 * MIB
