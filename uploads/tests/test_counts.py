"""Metrics of all replicas, and the feed of one upload."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from uploadsvc.counts import FOLDER, KEPT, WRITE_INTERVAL, Counts
from uploadsvc.feed import INTERVAL
from uploadsvc.service import keep_counts

TUS = {"Tus_Resumable": "1.0.0"}
TYPE = {"Content_Type": "application/offset+octet-stream"}


def samples(service: Any) -> dict[str, int]:
    """Those that are not 0."""
    status, headers, body = service.connect().ask("GET", "/uploads/.metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line.rpartition(" ") for line in body.decode().splitlines() if not line.startswith("#")]
    return {name.removeprefix("portico_uploads_"): int(value) for name, _, value in lines if int(value)}


def test_what_is_counted(service: Any) -> None:
    connection = service.connect()
    connection.ask("PUT", "/uploads/x", b"abc")
    broken = service.connect()
    broken.send(b"PUT /uploads/y HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabcd")
    assert samples(service)['under_way{replica="r1"}'] == 1
    broken.lose()
    where = connection.ask("POST", "/uploads/", b"", Upload_Length="5", **TUS)[1]["location"]
    connection.ask("PATCH", where, b"ab", Upload_Offset="0", **TUS, **TYPE)
    connection.ask("PATCH", where, b"cde", Upload_Offset="2", **TUS, **TYPE)
    form = b'--b\r\nContent-Disposition: form-data; name="f"; filename="b"\r\n\r\nabc\r\n--b--\r\n'
    connection.ask("POST", "/uploads/", form, Content_Type="multipart/form-data; boundary=b")
    labels = {way: f'{{replica="r1",way="{way}"}}' for way in ("put", "form", "tus")}
    assert samples(service) == {
        f"begun_total{labels['put']}": 2,
        f"begun_total{labels['form']}": 1,
        f"begun_total{labels['tus']}": 1,
        f"finished_total{labels['put']}": 1,
        f"finished_total{labels['form']}": 1,
        f"finished_total{labels['tus']}": 1,
        f"broken_off_total{labels['put']}": 1,
        f"resumed_total{labels['tus']}": 1,
        f"bytes_total{labels['put']}": 7,
        f"bytes_total{labels['form']}": len(form),
        f"bytes_total{labels['tus']}": 5,
    }


def test_each_replica_tells_of_all(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads()
    service.connect().ask("PUT", "/uploads/x", b"abc")
    other = Counts(service.root, 'r"2\n')
    other.count("bytes", "put", 7)
    other.under_way = 3
    other.write()
    found = samples(service)
    assert found['bytes_total{replica="r1",way="put"}'] == 3
    assert found['bytes_total{replica="r_2_",way="put"}'] == 7 and found['under_way{replica="r_2_"}'] == 3
    assert b'replica="r\\"2\\n"' in other.page()
    (path,) = (service.root / FOLDER).iterdir()
    for age, expected in ((WRITE_INTERVAL * 3 + 1, (7, 0)), (KEPT + 1, (0, 0))):
        then = time.time() - age
        os.utime(path, (then, then))
        found = samples(service)
        seen = [found.get(name, 0) for name in ('bytes_total{replica="r_2_",way="put"}', 'under_way{replica="r_2_"}')]
        assert tuple(seen) == expected
    assert not path.exists()


def test_written_from_time_to_time(service: Any) -> None:
    keep_counts(service.site.intake, service.clock)
    service.connect().ask("PUT", "/uploads/x", b"abc")
    for _ in range(2):
        service.clock.advance(WRITE_INTERVAL)
        (path,) = (service.root / FOLDER).iterdir()
        assert json.loads(path.read_bytes())["bytes put"] == 3
        path.unlink()


def test_no_counts_are_no_harm(tmp_path: Path) -> None:
    counts = Counts(tmp_path, "r1")
    assert b"portico_uploads_under_way" in counts.page()
    counts.write()
    (tmp_path / FOLDER / "r2").write_bytes(b"no json")
    assert b"r2" not in counts.page()


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("PUT", 405), ("DELETE", 405), ("OPTIONS", 204)])
def test_the_page_is_for_reading(service: Any, method: str, status: int) -> None:
    found, headers, _ = service.connect().ask(method, "/uploads/.metrics", b"" if method == "POST" else None)
    assert (found, headers["allow"]) == (status, "GET, HEAD, OPTIONS")


# -- the feed


def told(connection: Any) -> list[dict[str, Any]]:
    lines = connection.transport.value().decode().split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def test_an_upload_is_followed_to_its_end(service: Any) -> None:
    connection, watching = service.connect(), service.connect()
    where = connection.ask("POST", "/uploads/", b"", Upload_Length="5", **TUS)[1]["location"]
    watching.send(f"GET {where} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b"Content-Type: text/event-stream" in watching.transport.value()
    connection.ask("PATCH", where, b"ab", Upload_Offset="0", **TUS, **TYPE)
    service.clock.advance(INTERVAL)
    service.clock.advance(INTERVAL)
    connection.ask("PATCH", where, b"cde", Upload_Offset="2", **TUS, **TYPE)
    service.clock.advance(INTERVAL)
    assert told(watching) == [
        {"offset": 0, "length": 5, "done": False},
        {"offset": 2, "length": 5, "done": False},
        {"offset": 5, "length": 5, "done": True},
    ]
    assert watching.transport.value().endswith(b"0\r\n\r\n"), "and the connection may go on"


def test_watching_takes_nothing_over(service: Any) -> None:
    connection, watching = service.connect(), service.connect()
    where = connection.ask("POST", "/uploads/", b"", Upload_Length="5", **TUS)[1]["location"]
    head = f"PATCH {where} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: 5\r\n"
    connection.transport.clear()
    connection.send((head + "Content-Type: application/offset+octet-stream\r\n\r\n").encode() + b"abc")
    watching.send(f"GET {where} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    service.clock.look()
    assert told(watching) == [{"offset": 3, "length": 5, "done": False}] and connection.answers() == []
    connection.send(b"de")
    assert connection.answers()[0][0] == 204


def test_a_feed_ends_with_its_client_and_with_its_upload(service: Any) -> None:
    connection, leaving, staying = service.connect(), service.connect(), service.connect()
    where = connection.ask("POST", "/uploads/", b"", Upload_Length="5", **TUS)[1]["location"]
    for watching in (leaving, staying):
        watching.send(f"GET {where} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    leaving.lose()
    before = len(leaving.transport.value())
    assert connection.ask("DELETE", where, **TUS)[0] == 204
    service.clock.advance(INTERVAL)
    assert len(leaving.transport.value()) == before
    assert staying.transport.value().endswith(b"0\r\n\r\n")
    assert connection.ask("GET", where)[0] == 404


def test_a_feed_is_its_users_alone(make_uploads: Callable[..., Any]) -> None:
    class Writers:
        user = b"alice"

        async def user_of(self, asked: Any) -> bytes:
            return self.user

    service, writers = make_uploads(), Writers()
    service.site.writers = writers
    connection = service.connect()
    where = connection.ask("POST", "/uploads/", b"", Upload_Length="5", **TUS)[1]["location"]
    writers.user = b"bob"
    assert connection.ask("GET", where)[0] == 404
