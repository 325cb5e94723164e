"""Bounds on space: of the file system, of the store, of each user; from the head, and when a file is published."""

import base64
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from svckit.settings import BadOptions, Settings
from twisted.internet.task import Clock
from uploadsvc.quota import OWNER, Quota
from uploadsvc.service import make_site

TYPE = "application/offset+octet-stream"
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="%b"\r\n\r\n%b\r\n--b--\r\n',
    "multipart/form-data; boundary=b",
)


class Writers:
    """Whoever says so is let in."""

    user = b"alice"

    async def user_of(self, asked: Any) -> bytes:
        return self.user


def put(service: Any, name: str, size: int) -> int:
    status: int = service.connect().ask("PUT", f"/uploads/{name}", b"x" * size)[0]
    return status


def tus(service: Any, name: str, size: int, partial: bool = False) -> tuple[int, str]:
    more = {"Upload_Concat": "partial"} if partial else {}
    named = {"Upload_Metadata": "filename " + base64.b64encode(name.encode()).decode()}
    given = {"Tus_Resumable": "1.0.0", "Upload_Length": str(size), "Content_Type": TYPE, **named, **more}
    status, headers, _ = service.connect().ask("POST", "/uploads/", b"x" * size, **given)
    return status, headers.get("location", "")


def form(service: Any, name: str, size: int) -> int:
    body = FORM[0] % (name.encode(), b"x" * size)
    status: int = service.connect().ask("POST", "/uploads/", body, Content_Type=FORM[1])[0]
    return status


WAYS: dict[str, Callable[[Any, str, int], int]] = {"put": put, "form": form, "tus": lambda *given: tus(*given)[0]}


@pytest.mark.parametrize("way", WAYS)
def test_the_store_has_a_bound(make_uploads: Callable[..., Any], way: str) -> None:
    service = make_uploads(total_size=1000)
    send = WAYS[way]
    assert send(service, "a", 600) == 201
    assert send(service, "b", 401) == 507
    assert set(service.files()) - {".parts/lock"} <= {"a"} | {name for name in service.files() if name.startswith(".tus/")}
    assert send(service, "b", 100 if way == "form" else 400) == 201
    assert service.connect().ask("DELETE", "/uploads/a")[0] == 204
    assert send(service, "c", 500) == 201


def test_what_is_replaced_does_not_count_when_it_is_published(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(total_size=1000)
    assert put(service, "a", 400) == 201
    chunked = b"258\r\n" + b"y" * 0x258 + b"\r\n0\r\n\r\n"
    for _ in range(2):
        answer = service.connect().ask("PUT", "/uploads/b", chunked, Transfer_Encoding="chunked")
        assert answer[0] in (200, 201)
    assert service.connect().ask("PUT", "/uploads/c", b"1\r\ny\r\n0\r\n\r\n", Transfer_Encoding="chunked")[0] == 507
    assert put(service, "c", 0) == 201


def test_two_at_once_do_not_exceed_it(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(total_size=1000)
    head = b"PUT /uploads/%b HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n"
    first, second = service.connect(), service.connect()
    first.send(head % b"a" + b"x" * 300)
    second.send(head % b"b" + b"x" * 300)
    first.send(b"x" * 300)
    second.send(b"x" * 300)
    assert [first.answers()[0][0], second.answers()[0][0]] == [201, 507]
    assert set(service.files()) == {"a", ".parts/lock"}


@pytest.mark.parametrize("way", WAYS)
def test_each_user_has_a_bound(tmp_path: Path, make_uploads: Callable[..., Any], way: str) -> None:
    service, writers, send = make_uploads(), Writers(), WAYS[way]
    service.site.writers = writers
    object.__setattr__(service.site.intake.store.quota, "each", 1000)
    assert send(service, "a", 600) == 201
    assert os.getxattr(service.root / "a", OWNER) == b"alice"
    assert send(service, "b", 401) == 507
    writers.user = "bøb".encode()
    assert send(service, "c", 600) == 201
    writers.user = b"alice"
    assert send(service, "d", 100) == 201


def test_what_has_come_of_unfinished_ones_counts(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(total_size=1000)
    (status, where) = tus(service, "a", 600, partial=True)
    assert status == 201 and put(service, "b", 500) == 507
    final = {"Tus_Resumable": "1.0.0", "Upload_Concat": f"final;{where}"}
    assert service.connect().ask("POST", "/uploads/", b"", **final)[0] == 201, "its parts count no more then"
    assert put(service, "b", 500) == 507 and put(service, "b", 400) == 201
    assert service.connect().ask("POST", "/uploads/", b"", **final)[0] == 507
    given = {"Tus_Resumable": "1.0.0", "Upload_Offset": "0", "Content_Type": TYPE}
    status, headers, _ = service.connect().ask("POST", "/uploads/", b"", Tus_Resumable="1.0.0", Upload_Defer_Length="1")
    assert status == 201
    assert service.connect().ask("PATCH", headers["location"], b"x", **given)[0] == 507


@pytest.mark.parametrize("way", WAYS)
def test_the_file_system_has_an_end(make_uploads: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    service = make_uploads(keep_free=1000)
    about = SimpleNamespace(f_bavail=20, f_frsize=100)
    monkeypatch.setattr(os, "statvfs", lambda path: about)
    assert WAYS[way](service, "a", 1500) == 507
    assert WAYS[way](service, "b", 500) == 201
    about.f_bavail = 9
    assert WAYS[way](service, "c", 0) == 507
    monkeypatch.undo()
    assert Quota(service.root / "absent").refusal_for_space(5) is None


def test_nobody_is_asked_to_send_what_has_no_room(make_uploads: Callable[..., Any]) -> None:
    connection = make_uploads(total_size=10).connect()
    connection.send(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n")
    assert connection.transport.value().startswith(b"HTTP/1.1 507 ") and connection.transport.half_closed


def site(tmp_path: Path, **options: object) -> None:
    settings = Settings(service="uploads", replica="r1", state=tmp_path, options={"writes": "anyone", **options})
    make_site(settings, Clock(), lambda job: job())  # type: ignore[arg-type]


def test_options_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadOptions, match="no users"):
        site(tmp_path, user_size=5)

    def cannot(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", cannot)
    with pytest.raises(OSError, match="not supported"):
        Quota(tmp_path, each=5).check_file_system()
    Quota(tmp_path).check_file_system()


# -- what replaces a file


@pytest.mark.parametrize("way", WAYS)
def test_fits_where_the_old_one_has_been(make_uploads: Callable[..., Any], way: str) -> None:
    service = make_uploads(total_size=1000)
    assert put(service, "x", 700) == 201 and put(service, "y", 200) == 201
    assert WAYS[way](service, "x", 801) == 507
    assert (service.root / "x").stat().st_size == 700
    for path in service.root.glob(".tus/*/data"):
        assert path.stat().st_size == 0
    assert WAYS[way](service, "x", 800) in (200, 201)
    assert (service.root / "x").stat().st_size == 800


def test_a_part_of_one_replaces_nothing(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(total_size=1000)
    put(service, "x", 700)
    assert tus(service, "x", 301, partial=True)[0] == 507


def test_resumed_over_an_old_one(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(total_size=1000)
    put(service, "x", 700)
    given = {"Tus_Resumable": "1.0.0", "Content_Type": TYPE}
    named = {"Upload_Length": "900", "Upload_Metadata": "filename eA=="}
    status, headers, _ = service.connect().ask("POST", "/uploads/", b"a" * 400, **given, **named)
    assert status == 201
    assert service.connect().ask("PATCH", headers["location"], b"b" * 500, **given, Upload_Offset="400")[0] == 204
    assert service.files()["x"] == b"a" * 400 + b"b" * 500


@pytest.mark.parametrize(
    ("free", "more", "status"), [(1000, 8192, 507), (8192, 8192, 200), (8192, 8193, 507), (4096, 4097, 507)]
)
def test_what_is_to_stay_free_is_measured_without_the_old_one(
    make_uploads: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, free: int, more: int, status: int
) -> None:
    service = make_uploads(keep_free=4096)
    (service.root / "x").write_bytes(b"x" * 4096)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=free, f_frsize=1))
    assert put(service, "x", more) == status
    assert put(service, "y", more) == 507
