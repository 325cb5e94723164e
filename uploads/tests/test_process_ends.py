"""The service in a process of its own: clients that break off or are refused, and processes that end or are killed midway."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from uploadsvc.store import ABANDONED_AFTER

from .process import BLOCK, MIB, Child, sha256_of, until


def test_a_refused_client_that_sends_anyway_sees_its_answer(start: Callable[..., Child]) -> None:
    child = start(0.0, "max_size=1000")
    with child.connect() as client:
        client.sendall(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (20 * MIB))
        for _ in range(20):
            client.sendall(BLOCK)
        answer = b""
        while data := client.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 413 ") and answer.endswith(b"takes.\n")
    assert child.parts() == []


def test_a_client_that_breaks_off_leaves_nothing(start: Callable[..., Child]) -> None:
    child = start()
    with child.connect() as client:
        client.sendall(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (3 * MIB) + BLOCK)
        until(lambda: bool(child.parts()))
    until(lambda: not child.parts())
    assert sorted(path.name for path in child.root.iterdir()) == [".parts", ".tus"]


def test_killed_midway_leaves_the_old_file_and_a_part_that_is_swept(start: Callable[..., Child]) -> None:
    child = start()
    child.put(1)
    with child.connect() as client:
        client.sendall(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (3 * MIB) + BLOCK)
        until(lambda: bool(child.parts()))
        child.end(signal.SIGKILL)
    (left,) = child.parts()
    start().end()
    assert child.parts() == [left], "it is young: another replica may be at it"
    long_ago = time.time() - ABANDONED_AFTER - 60
    os.utime(left, (long_ago, long_ago))
    again = start()
    assert again.parts() == [] and again.get_sha256() == sha256_of(1)


def test_two_replicas_share_a_folder(start: Callable[..., Child]) -> None:
    one, other = start(), start()
    one.put(2)
    assert other.get_sha256() == sha256_of(2)


def test_ends_at_once_when_told_in_the_middle_of_an_upload(start: Callable[..., Child]) -> None:
    child = start()
    with child.connect() as client:
        client.sendall(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (3 * MIB) + BLOCK)
        until(lambda: bool(child.parts()))
        child.end()
    assert not (child.root / "x").exists()


def test_killed_midway_over_an_object_store(start: Callable[..., Child], objects: Any) -> None:
    child = start(0.0, f"store={objects.url}")
    child.put(1)
    with child.connect() as client:
        client.sendall(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (20 * MIB) + 12 * BLOCK)
        until(lambda: objects.in_the_making() == ["x"])
        child.end(signal.SIGKILL)
    assert objects.objects() == {"x": BLOCK}
    again = start(0.0, f"store={objects.url}")
    assert again.get_sha256() == sha256_of(1)
    again.put(20, "/uploads/y")
    assert again.get_sha256("/uploads/y") == sha256_of(20)
    again.end()
    assert list(objects.objects()) == ["x", "y"]
