"""Resumable uploads in a process of its own, or two: cut, taken over, and gone on with by another host after a kill."""

import http.client
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .process import BLOCK, MIB, PATIENCE, Child, sha256_of, until


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
