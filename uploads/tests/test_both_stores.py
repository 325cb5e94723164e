"""What holds whichever store the files are in: a folder, or a bucket at a server of its own."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

BODY = bytes(range(256)) * 400
LARGE = BODY * 93  # above 9 MiB: two parts
B = "xyz"
FORM = f"multipart/form-data; boundary={B}"


def file(name: str, data: bytes) -> bytes:
    return f'--{B}\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n"


END = f"--{B}--\r\n".encode()


@pytest.mark.parametrize(("body", "step"), [(b"", 7), (BODY, 7000), (LARGE, 3 * 10**6)])
def test_put_and_get(anywhere: Any, body: bytes, step: int) -> None:
    connection = anywhere.connect()
    head = b"PUT /uploads/a%%20b HTTP/1.1\r\nHost: x\r\nWant-Repr-Digest: sha-256=1\r\nContent-Length: %d\r\n\r\n"
    request = head % len(body) + body
    for at in range(0, len(request), step):
        if at + step >= len(request):
            assert anywhere.finals() == {}
        connection.send(request[at : at + step])
    ((status, headers, told),) = connection.answers()
    sha = hashlib.sha256(body)
    assert (status, headers["location"]) == (201, "/uploads/a%20b")
    assert json.loads(told) == {"name": "a b", "size": len(body), "sha256": sha.hexdigest()}
    assert headers["repr-digest"] == "sha-256=:" + base64.b64encode(sha.digest()).decode() + ":"
    assert anywhere.files() == {"a b": body} and anywhere.site.intake.under_way == 0
    connection.transport.clear()
    connection.send(b"GET /uploads/a%20b HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(len(body) // 2**16 + 2):
        connection.clock.advance(0)
    ((status, got, content),) = connection.answers()
    assert (status, content, got["etag"]) == (200, body, headers["etag"])
    assert got["content-type"] == "application/octet-stream" and got["content-disposition"].startswith("attachment; ")
    assert got["content-security-policy"] == "default-src 'none'; sandbox" and got["x-content-type-options"] == "nosniff"


def test_replaced_chunked_and_with_a_digest(anywhere: Any) -> None:
    connection = anywhere.connect()
    assert connection.ask("PUT", "/uploads/x", b"old")[0] == 201
    digest = "sha-512=:" + base64.b64encode(hashlib.sha512(b"newer").digest()).decode() + ":"
    status, headers, _ = connection.ask("PUT", "/uploads/x", b"newer", Content_Digest=digest)
    assert status == 200 and "location" not in headers
    assert connection.ask("PUT", "/uploads/x", b"other", Content_Digest=digest)[0] == 400
    assert connection.ask("PUT", "/uploads/x", b"3\r\nabc\r\n0\r\n\r\n", Transfer_Encoding="chunked")[0] == 200
    assert anywhere.files() == {"x": b"abc"}


@pytest.mark.parametrize("sent", [100, 9 << 20])
def test_a_client_that_leaves_leaves_the_old_one(anywhere: Any, sent: int) -> None:
    anywhere.connect().ask("PUT", "/uploads/x", b"old")
    connection = anywhere.connect()
    connection.send(b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE[:sent])
    connection.lose()
    assert anywhere.files() == {"x": b"old"} and anywhere.site.intake.under_way == 0
    if hasattr(anywhere, "bucket"):
        assert anywhere.bucket.in_the_making() == []


def test_ranges_and_conditions_of_a_get(anywhere: Any) -> None:
    connection = anywhere.connect()
    etag = connection.ask("PUT", "/uploads/x", BODY)[1]["etag"]
    ask = connection.ask
    status, headers, body = ask("GET", "/uploads/x", Range="bytes=6-12")
    assert (status, headers["content-range"], body) == (206, f"bytes 6-12/{len(BODY)}", BODY[6:13])
    status, headers, body = ask("GET", "/uploads/x", Range="bytes=-3")
    assert (status, body) == (206, BODY[-3:])
    assert ask("GET", "/uploads/x", Range=f"bytes={len(BODY)}-")[0] == 416
    assert ask("GET", "/uploads/x", If_None_Match=etag)[0] == 304
    assert ask("GET", "/uploads/x", If_Match='"other"')[0] == 412
    assert ask("GET", "/uploads/absent")[0] == 404
    connection.transport.clear()
    connection.send(b"GET /uploads/x HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1, 5-6\r\n\r\n")
    connection.clock.advance(0)
    connection.clock.advance(0)
    connection.clock.advance(0)
    ((status, headers, body),) = connection.answers()
    assert status == 206 and headers["content-type"].startswith("multipart/byteranges")
    assert b"\r\n\r\n" + BODY[:2] + b"\r\n" in body and b"\r\n\r\n" + BODY[5:7] + b"\r\n" in body
    connection.transport.clear()
    connection.send(b"HEAD /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(BODY) in connection.transport.value()
    assert connection.transport.value().endswith(b"\r\n\r\n")


def test_conditions_of_what_writes(anywhere: Any) -> None:
    def ask(*given: Any, **headers: str) -> Any:
        return anywhere.connect().ask(*given, **headers)

    assert ask("PUT", "/uploads/x", b"a", If_Match='"no"')[0] == 412
    status, headers, _ = ask("PUT", "/uploads/x", b"a", If_None_Match="*")
    assert status == 201
    assert ask("PUT", "/uploads/x", b"b", If_None_Match="*")[0] == 412
    status, newer, _ = ask("PUT", "/uploads/x", b"b", If_Match=headers["etag"])
    assert status == 200
    assert ask("PUT", "/uploads/x", b"c", If_Match=headers["etag"])[0] == 412
    assert ask("DELETE", "/uploads/x", If_Match=headers["etag"])[0] == 412
    assert anywhere.files() == {"x": b"b"}
    assert ask("DELETE", "/uploads/x", If_Match=newer["etag"])[0] == 204
    assert ask("DELETE", "/uploads/x")[0] == 404 and anywhere.files() == {}


@pytest.mark.parametrize("condition", ["If-Match: {}", "If-None-Match: *"])
@pytest.mark.parametrize("size", [10, 9 << 20])
def test_what_was_changed_meanwhile_is_not_overwritten(make_anywhere: Callable[..., Any], condition: str, size: int) -> None:
    service = make_anywhere()
    etag = "" if "None" in condition else service.connect().ask("PUT", "/uploads/x", b"old")[1]["etag"]
    slow = service.connect()
    head = f"PUT /uploads/x HTTP/1.1\r\nHost: x\r\n{condition.format(etag)}\r\nContent-Length: {size}\r\n\r\n"
    slow.send(head.encode() + LARGE[: size - 1])
    assert service.connect().ask("PUT", "/uploads/x", b"newer")[0] in (200, 201)
    slow.send(b"!")
    assert slow.answers()[0][0] == 412 and service.files() == {"x": b"newer"}


def test_a_form(anywhere: Any) -> None:
    ask = anywhere.connect().ask
    body = file("a", BODY) + file("b", LARGE) + END
    status, _, told = ask("POST", "/uploads/", body, Content_Type=FORM)
    assert status == 201 and [each["name"] for each in json.loads(told)] == ["a", "b"]
    assert anywhere.files() == {"a": BODY, "b": LARGE}
    assert ask("POST", "/uploads/", file("c", b"1") + file("a", b"1") + END, Content_Type=FORM, If_None_Match="*")[0] == 412
    cut = anywhere.connect()
    cut.send(f"POST /uploads/ HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {len(body) + 9}\r\n\r\n".encode())
    cut.send(body)
    cut.lose()
    assert anywhere.files() == {"a": BODY, "b": LARGE}


def test_the_list(anywhere: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uploadsvc.resource.PAGE", 2)
    connection = anywhere.connect()
    for name in ("b", "a%26", "%C3%BC+%25%20=c"):
        connection.ask("PUT", f"/uploads/{name}", b"xyz")
    connection.ask("POST", "/uploads/", b"", Tus_Resumable="1.0.0", Upload_Length="5")
    status, headers, body = connection.ask("GET", "/uploads/")
    assert status == 200 and headers["link"] == '</uploads/?after=b>; rel="next"'
    assert [(entry["name"], entry["size"]) for entry in json.loads(body)] == [("a&", 3), ("b", 3)]
    status, headers, body = connection.ask("GET", "/uploads/?after=b")
    assert [entry["name"] for entry in json.loads(body)] == ["\u00fc+% =c"] and "link" not in headers
    assert connection.ask("GET", "/uploads/%C3%BC+%25%20=c")[2] == b"xyz"


def test_told_of(make_anywhere: Callable[..., Any], tmp_path: Any) -> None:
    service = make_anywhere(spool=str(tmp_path / "spool"), sha256="always")
    journal = service.site.intake.store.journal
    service.connect().ask("PUT", "/uploads/x", b"abc")
    assert service.connect().ask("PUT", "/uploads/x", b"abc", If_None_Match="*")[0] == 412
    assert journal.deliver(tmp_path / "spool", None) == 1
    line = json.loads((tmp_path / "spool").read_text())
    assert (line["name"], line["size"], line["sha256"]) == ("x", 3, hashlib.sha256(b"abc").hexdigest())
