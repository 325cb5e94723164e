"""What is at /uploads/, over whole exchanges."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from uploadsvc import resource

DATA = b"hello, uploads\n" * 5000
SHA = hashlib.sha256(DATA)


def test_put_tells_what_it_took(service: Any) -> None:
    status, headers, body = service.connect().ask("PUT", "/uploads/a%20b.txt", DATA, Want_Repr_Digest="sha-256=1")
    assert status == 201
    assert json.loads(body) == {"name": "a b.txt", "size": len(DATA), "sha256": SHA.hexdigest()}
    assert headers["repr-digest"] == "sha-256=:" + base64.b64encode(SHA.digest()).decode() + ":"
    assert headers["location"] == "/uploads/a%20b.txt"
    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert service.files() == {"a b.txt": DATA}


def test_put_again_replaces(service: Any) -> None:
    connection = service.connect()
    first = connection.ask("PUT", "/uploads/x", b"old")
    second = connection.ask("PUT", "/uploads/x", b"newer")
    assert (first[0], second[0]) == (201, 200) and "location" not in second[1]
    assert connection.ask("GET", "/uploads/x")[2] == b"newer"
    assert connection.ask("GET", "/uploads/x")[1]["etag"] == second[1]["etag"] != first[1]["etag"]


def test_two_puts_of_one_name_at_once_are_both_whole(service: Any) -> None:
    first, second = service.connect(), service.connect()
    for connection, fill in ((first, b"1"), (second, b"2")):
        connection.send(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n" + fill * 5)
    second.send(b"2222")
    assert service.files()["x"] == b"222222222"
    first.send(b"1111")
    assert service.files() == {"x": b"111111111"}


def test_put_only_where_nothing_is(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    connection = service.connect()
    connection.send(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\nContent-Length: 3\r\n\r\nabc")
    (service.root / "x").write_bytes(b"somebody was faster")
    held.run_all()
    assert connection.answers()[0][0] == 412
    assert service.files() == {"x": b"somebody was faster"}


def test_a_folder_in_the_way(service: Any) -> None:
    (service.root / "x").mkdir()
    assert service.connect().ask("PUT", "/uploads/x", b"abc")[0] == 409
    assert service.files() == {}


def test_get_is_a_download_and_nothing_else(service: Any) -> None:
    connection = service.connect()
    connection.ask("PUT", "/uploads/page.html", b"<script>alert(1)</script>")
    status, headers, body = connection.ask("GET", "/uploads/page.html")
    assert (status, body) == (200, b"<script>alert(1)</script>")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith('attachment; filename="page.html"')
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_head_and_conditions_and_ranges(service: Any) -> None:
    connection = service.connect()
    connection.ask("PUT", "/uploads/x", DATA)
    status, headers, _ = connection.ask("GET", "/uploads/x", Range="bytes=6-12")
    assert (status, headers["content-range"]) == (206, f"bytes 6-12/{len(DATA)}")
    assert connection.ask("GET", "/uploads/x", If_None_Match=headers["etag"])[0] == 304
    assert connection.ask("GET", "/uploads/x", Range=f"bytes={len(DATA)}-")[0] == 416
    connection.transport.clear()
    connection.send(b"HEAD /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n")
    head = connection.transport.value()
    assert head.endswith(b"\r\n\r\n") and b"Content-Length: %d\r\n" % len(DATA) in head


def test_absent(service: Any) -> None:
    connection = service.connect()
    for method in ("GET", "DELETE"):
        assert connection.ask(method, "/uploads/absent")[0] == 404
    connection.send(b"HEAD /uploads/absent HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"HTTP/1.1 404 " in connection.transport.value() and connection.transport.value().endswith(b"\r\n\r\n")


def test_unicode_names_meet_in_one_form(service: Any) -> None:
    connection = service.connect()
    assert json.loads(connection.ask("PUT", "/uploads/u%CC%88.txt", b"x")[2])["name"] == "ü.txt"
    status, headers, _ = connection.ask("GET", "/uploads/%C3%BC.txt")
    assert status == 200 and headers["content-disposition"].endswith("filename*=UTF-8''%C3%BC.txt")


def test_delete(service: Any) -> None:
    connection = service.connect()
    etag = connection.ask("PUT", "/uploads/x", b"abc")[1]["etag"]
    assert connection.ask("DELETE", "/uploads/x", If_Match='"other"')[0] == 412
    status, _, body = connection.ask("DELETE", "/uploads/x", If_Match=etag)
    assert (status, body) == (204, b"")
    assert connection.ask("GET", "/uploads/x")[0] == 404 and service.files() == {}


def test_delete_that_somebody_else_has_done_meanwhile(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    (service.root / "x").touch()
    connection = service.connect()
    connection.send(b"DELETE /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n")
    (service.root / "x").unlink()
    held.run_all()
    assert connection.answers()[0][0] == 404


def test_list(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = service.connect()
    assert connection.ask("GET", "/uploads/")[2] == b"[]\n"
    for name in ("b", "a%26", "c"):
        connection.ask("PUT", f"/uploads/{name}", b"xyz")
    status, headers, body = connection.ask("GET", "/uploads/")
    assert status == 200 and headers["content-type"] == "application/json" and "link" not in headers
    assert [(entry["name"], entry["size"]) for entry in json.loads(body)] == [("a&", 3), ("b", 3), ("c", 3)]
    assert all(entry["modified"] > 10**9 for entry in json.loads(body))


def test_list_in_pages(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "PAGE", 2)
    connection = service.connect()
    names = ["a", "a&b=ü", "b", "c", "d"]
    for name in names:
        (service.root / name).touch()
    address, seen = "/uploads/", []
    while address:
        _, headers, body = connection.ask("GET", address)
        seen.append([entry["name"] for entry in json.loads(body)])
        found = re.fullmatch(r'<(\S+)>; rel="next"', headers.get("link", ""))
        address = found[1] if found else ""
    assert seen == [["a", "a&b=ü"], ["b", "c"], ["d"]]


def test_slash_forgotten(service: Any) -> None:
    status, headers, _ = service.connect().ask("GET", "/uploads")
    assert (status, headers["location"]) == (301, "/uploads/")


@pytest.mark.parametrize(
    ("path", "allow"), [("/uploads/", "GET, HEAD, POST, OPTIONS"), ("/uploads/x", "GET, HEAD, PUT, DELETE, OPTIONS")]
)
def test_methods(service: Any, path: str, allow: str) -> None:
    connection = service.connect()
    status, headers, _ = connection.ask("OPTIONS", path)
    assert (status, headers["allow"]) == (204, allow)
    for method in ("PUT" if path.endswith("/") else "POST", "PATCH", "BREW"):
        status, headers, _ = connection.ask(method, path)
        assert (status, headers["allow"]) == (405, allow)


def test_list_fails_when_the_folder_is_gone(service: Any) -> None:
    connection = service.connect()
    (service.root / ".parts").rmdir()
    (service.root / ".tus").rmdir()
    service.root.rmdir()
    assert connection.ask("GET", "/uploads/")[0] == 404


def test_client_that_leaves_before_the_answer(make_uploads: Callable[..., Any], held: Any) -> None:
    connection = make_uploads(held).connect()
    connection.send(b"GET /uploads/ HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.lose()
    held.run_all()
    assert connection.transport.value() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/uploads/..%2f..%2fetc%2fpasswd",
        "/uploads/%2e%2e%2fsecret",
        "/uploads/%252e%252e%252fsecret",
        "/uploads/..%5csecret",
        "/uploads/%c0%ae%c0%ae%c0%afsecret",
        "/uploads/....//secret",
        "/uploads/.parts%2fx",
        "/uploads/.parts",
        "/uploads/../secret",
        "/uploads/x/../../secret",
        "//uploads/..;/secret",
        "/uploads/%00",
        "/uploads/\udcff",
    ],
)
def test_nothing_outside_is_read_or_written(service: Any, path: str) -> None:
    secret = service.root.parent / "secret"
    secret.write_bytes(b"secret")
    for method, body in (("GET", None), ("DELETE", None), ("PUT", b"evil")):
        connection = service.connect()
        lines = f"{method} {path} HTTP/1.1\r\nHost: x\r\n" + (f"Content-Length: {len(body)}\r\n" if body else "") + "\r\n"
        connection.send(lines.encode("utf-8", "surrogateescape") + (body or b""))
        status = int(connection.transport.value().split(b" ")[1])
        assert status in (400, 404) or (path == "/uploads/%252e%252e%252fsecret" and status == 201)
        connection.lose()
    assert secret.read_bytes() == b"secret"
    assert set(service.files()) <= {"%2e%2e%2fsecret"}
