"""The service as it runs: options, and a process of its own with real sockets, a real disk and a real memory."""

import hashlib
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from svckit.settings import BadOptions, Settings
from twisted.internet.testing import MemoryReactorClock
from uploadsvc.service import Options, make_factory
from uploadsvc.store import ABANDONED_AFTER

MIB = 2**20
BLOCK = bytes(range(256)) * 4096  # 1 MiB
PATIENCE = 60.0
"""Seconds after which a child that does not get on fails the test."""


def make(tmp_path: Path, **options: object) -> Any:
    settings = Settings(service="uploads", replica="r1", state=tmp_path / "state", options={"writes": "anyone", **options})
    return make_factory(settings, MemoryReactorClock())  # type: ignore[arg-type]


def test_starts_with_nothing_said(tmp_path: Path) -> None:
    site = make(tmp_path)
    assert site.intake.store.root == tmp_path / "state" / "files"
    assert site.intake.store.hidden.is_dir()
    assert (site.intake.max_size, site.intake.parallel, site.timeOut) == (16 * 2**30, 256, 60.0)


def test_options_may_be_text(tmp_path: Path) -> None:
    site = make(tmp_path, root=str(tmp_path / "r"), max_size="1000", parallel="2", idle_timeout="1.5", threads="1")
    assert (site.intake.max_size, site.intake.parallel, site.timeOut) == (1000, 2, 1.5)
    assert site.intake.store.root == tmp_path / "r"


@pytest.mark.parametrize(
    "options",
    [
        {"writes": "nobody"},
        {"max_size": "-1"},
        {"parallel": "0"},
        {"idle_timeout": "0"},
        {"threads": "0"},
        {"max_size": "16 GiB"},
        {"maxsize": "1"},
    ],
)
def test_bad_options_are_said_at_the_start(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(BadOptions, match="uploads"):
        make(tmp_path, **options)


def test_a_root_that_cannot_be_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadOptions, match=r"uploads: root: .*file/x: expected a folder to write in: Not a directory"):
        make(tmp_path, root=str(tmp_path / "file" / "x"))


def test_every_option_has_a_default() -> None:
    assert Options().threads == 8


def test_writing_needs_a_login_and_somebody_to_ask_unless_anyone_may(tmp_path: Path) -> None:
    def writers(auth: Path | None, **options: object) -> Any:
        settings = Settings(service="uploads", replica="r1", state=tmp_path / "state", auth=auth, options=options)
        return make_factory(settings, MemoryReactorClock()).writers  # type: ignore[arg-type, attr-defined]

    assert writers(tmp_path) is not None
    assert writers(tmp_path, writes="anyone") is None
    assert writers(None, writes="anyone") is None
    with pytest.raises(BadOptions, match=r'uploads: writes: .*PORTICO_AUTH.*writes = "anyone"'):
        writers(None)


class Child:
    """A running service."""

    def __init__(self, root: Path, seconds_per_mib: float = 0.0, *options: str) -> None:
        self.root = root
        script = str(Path(__file__).with_name("child.py"))
        self.process = subprocess.Popen(
            [sys.executable, script, str(root), str(seconds_per_mib), *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def peak(self) -> int:
        """Most bytes of memory it has ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def put(self, mib: int, path: str = "/uploads/x") -> dict[str, Any]:
        """Upload that much, as fast as it goes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        blocks = (BLOCK for _ in range(mib))
        connection.request("PUT", path, blocks, {"Content-Length": str(mib * MIB), "Want-Repr-Digest": "sha-256=1"})
        response = connection.getresponse()
        assert response.status == 201
        answer: dict[str, Any] = json.loads(response.read())
        connection.close()
        return answer

    def get_sha256(self, path: str = "/uploads/x") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        response, digest = connection.getresponse(), hashlib.sha256()
        while data := response.read(MIB):
            digest.update(data)
        connection.close()
        return digest.hexdigest()

    def parts(self) -> list[Path]:
        return list((self.root / ".parts").iterdir())

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start_child(seconds_per_mib: float = 0.0, *options: str) -> Child:
        children.append(Child(tmp_path / "files", seconds_per_mib, *options))
        return children[-1]

    yield start_child
    for child in children:
        if child.process.poll() is None:
            child.end()


def sha256_of(mib: int) -> str:
    digest = hashlib.sha256()
    for _ in range(mib):
        digest.update(BLOCK)
    return digest.hexdigest()


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


def test_a_resumable_upload_that_is_cut_and_taken_over_midway(start: Callable[..., Child]) -> None:
    child = start()
    version = b"Host: x\r\nTus-Resumable: 1.0.0\r\n"

    def ask(request: bytes) -> bytes:
        with child.connect() as client:
            client.sendall(request)
            return client.recv(4096)

    made = ask(b"POST /uploads/ HTTP/1.1\r\nUpload-Metadata: filename eA==\r\nUpload-Length: %d\r\n%b\r\n" % (9 * MIB, version))
    where = next(line[10:] for line in made.split(b"\r\n") if line.startswith(b"Location: "))

    def offset() -> int:
        head = ask(b"HEAD %b HTTP/1.1\r\n%b\r\n" % (where, version))
        return int(next(line[15:] for line in head.split(b"\r\n") if line.startswith(b"Upload-Offset: ")))

    def patch(at: int, length: int) -> bytes:
        more = b"Content-Type: application/offset+octet-stream\r\nUpload-Offset: %d\r\nContent-Length: %d\r\n\r\n"
        return b"PATCH %b HTTP/1.1\r\n%b" % (where, version) + more % (at, length)

    def data_has(size: int) -> bool:
        (data,) = child.root.glob(".tus/*/data")
        return data.stat().st_size >= size

    with child.connect() as client:
        client.sendall(patch(0, 9 * MIB) + BLOCK * 3)
        until(lambda: data_has(3 * MIB))
    assert offset() == 3 * MIB
    with child.connect() as hanging:
        hanging.sendall(patch(3 * MIB, 6 * MIB) + BLOCK * 3)
        until(lambda: data_has(6 * MIB))
        assert offset() == 6 * MIB
        assert hanging.recv(4096).startswith(b"HTTP/1.1 423 ")
    assert ask(patch(6 * MIB, 3 * MIB) + BLOCK * 3).startswith(b"HTTP/1.1 204 ")
    assert child.get_sha256() == sha256_of(9)


def test_what_is_taken_over_in_the_middle_of_a_splice_has_no_gap(start: Callable[..., Child]) -> None:
    child = start(0.05)
    version = b"Host: x\r\nTus-Resumable: 1.0.0\r\n"
    whole = b"".join(at.to_bytes(8, "big") * 512 for at in range(64 * MIB // 4096))
    made = b"POST /uploads/ HTTP/1.1\r\nUpload-Metadata: filename eA==\r\nUpload-Length: %d\r\n%b\r\n"

    def field(answer: bytes, name: bytes) -> bytes:
        return next(line[len(name) + 2 :] for line in answer.split(b"\r\n") if line.startswith(name + b": "))

    def ask(request: bytes) -> bytes:
        with child.connect() as client:
            client.sendall(request)
            return client.recv(4096)

    where = field(ask(made % (len(whole), version)), b"Location")
    (data,) = child.root.glob(".tus/*/data")

    def send(client: socket.socket, body: bytes) -> None:
        with suppress(OSError):  # it is cut off
            client.sendall(body)

    offset = 0
    for _ in range(3):
        more = b"Content-Type: application/offset+octet-stream\r\nUpload-Offset: %d\r\nContent-Length: %d\r\n\r\n"
        head = b"PATCH %b HTTP/1.1\r\n%b" % (where, version) + more % (offset, len(whole) - offset)
        with child.connect() as client:
            goal, end = offset + 2 * MIB, offset + 16 * MIB  # a quick disk would have all of it before anybody takes over
            sending = threading.Thread(target=send, args=(client, head + whole[offset:end]))
            sending.start()
            while data.stat().st_size < goal:
                time.sleep(0.001)
            answer = ask(b"HEAD %b HTTP/1.1\r\n%b\r\n" % (where, version))
        sending.join(PATIENCE)
        offset = int(field(answer, b"Upload-Offset"))
        assert data.read_bytes() == whole[:offset]


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
            (part,) = child.parts() or [None]
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


def test_resumed_by_another_host_after_a_kill(start: Callable[..., Child], objects: Any) -> None:
    child = start(0.0, f"store={objects.url}")
    tus = {"Tus-Resumable": "1.0.0"}
    connection = http.client.HTTPConnection("127.0.0.1", child.port, timeout=PATIENCE)
    connection.request("POST", "/uploads/", headers={**tus, "Upload-Length": str(20 * MIB), "Upload-Metadata": "filename eA=="})
    where = connection.getresponse().getheader("Location") or ""
    connection.close()
    patch = {**tus, "Content-Type": "application/offset+octet-stream"}
    with child.connect() as client:
        head = f"PATCH {where} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\nContent-Length: {20 * MIB}\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in patch.items())
        client.sendall(f"{head}{lines}\r\n".encode() + 12 * BLOCK)
        until(lambda: b'"pieces"' in objects.objects()[where.removeprefix("/uploads/") + "/record"])
        child.end(signal.SIGKILL)
    assert not any(name == "x" for name in objects.objects())
    other = start(0.0, f"store={objects.url}")
    connection = http.client.HTTPConnection("127.0.0.1", other.port, timeout=PATIENCE)
    connection.request("HEAD", where, headers=tus)
    response = connection.getresponse()
    response.read()
    assert (response.status, response.getheader("Upload-Offset")) == (200, str(8 * MIB)), "once the dead one had its time"
    connection.request("PATCH", where, BLOCK * 12, {**patch, "Upload-Offset": str(8 * MIB)})
    assert connection.getresponse().status == 204
    connection.close()
    assert objects.objects()["x"] == BLOCK * 20
