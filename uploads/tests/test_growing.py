"""What is to stay free stays free although a body never said how long it is, or others fill the disk while it comes."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from uploadsvc.quota import OFTEN

from .tus_client import TYPE, Client, finals

KEPT = 2 * OFTEN
CHUNKED = "Transfer-Encoding: chunked"


class Disk:
    """A small one."""

    def __init__(self, root: Path) -> None:
        self.root, self.size = root, 5 * OFTEN

    def statvfs(self, _: object) -> SimpleNamespace:
        used = sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())
        return SimpleNamespace(f_bavail=self.size - used, f_frsize=1)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path / "files")
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    return disk


@pytest.fixture
def service(disk: Disk, make_uploads: Callable[..., Any]) -> Any:
    return make_uploads(keep_free=KEPT)


def begin(service: Any, line: str, *fields: str) -> Any:
    connection = service.connect()
    connection.send("\r\n".join([f"{line} HTTP/1.1", "Host: x", *fields, "", ""]).encode())
    return connection


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize(("more", "status"), [(0, 201), (1, 507)])
@pytest.mark.parametrize(
    ("line", "kind", "around"),
    [
        ("PUT /uploads/x", "X-Kind: none", (b"", b"")),
        (
            "POST /uploads/",
            "Content-Type: multipart/form-data; boundary=b",
            (b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n', b"\r\n--b--\r\n"),
        ),
    ],
)
def test_a_body_that_does_not_say_its_length(
    service: Any, line: str, kind: str, around: tuple[bytes, bytes], more: int, status: int
) -> None:
    connection = begin(service, line, kind, CHUNKED)
    connection.send(chunk(around[0] + b"x" * OFTEN))
    connection.send(chunk(b"x" * (2 * OFTEN + more - 1)))
    connection.send(chunk(b"x" + around[1]) + b"0\r\n\r\n")
    assert [answer[0] for answer in connection.answers()] == [status]
    assert len(service.files().get("x", b"")) == (3 * OFTEN if status == 201 else 0)
    assert set(service.files()) <= {"x"}


def test_others_fill_the_disk_meanwhile(service: Any, disk: Disk) -> None:
    connection = begin(service, "PUT /uploads/x", f"Content-Length: {3 * OFTEN}")
    connection.send(b"x" * OFTEN)
    disk.size -= 1
    assert connection.answers() == []
    connection.send(b"x" * OFTEN)
    assert connection.answers() == [], "there is room for that still"
    connection.send(b"x" * OFTEN)
    assert connection.answers()[0][0] == 507 and service.files() == {}


def test_what_it_replaces_comes_free(service: Any) -> None:
    (service.root / "x").write_bytes(b"x" * OFTEN)
    for name, status in (("y", 507), ("x", 200)):
        connection = begin(service, f"PUT /uploads/{name}", CHUNKED)
        connection.send(chunk(b"y" * OFTEN * 3) + b"0\r\n\r\n")
        assert connection.answers()[0][0] == status


def test_a_resumable_one_waits_for_space(service: Any, disk: Disk) -> None:
    client = Client(service)
    where = client.create(None)
    fields = ("Tus-Resumable: 1.0.0", f"Content-Type: {TYPE}", "Upload-Offset: 0", CHUNKED)
    connection = begin(service, f"PATCH {where}", *fields)
    connection.send(chunk(b"x" * 2 * OFTEN))
    assert connection.answers() == []
    connection.send(chunk(b"x" * OFTEN))
    assert connection.answers()[0][0] == 507
    assert client.offset(where) == 3 * OFTEN, "what has come counts"
    disk.size += 2 * OFTEN
    assert client.patch(where, 3 * OFTEN, b"y", Upload_Length=3 * OFTEN + 1)[0] == 204
    assert finals(service) == {"x": b"x" * 3 * OFTEN + b"y"}
