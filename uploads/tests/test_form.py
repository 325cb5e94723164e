"""Files from an HTML form: whole, byte by byte, and everything that can be wrong with one."""

import errno
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from uploadsvc.form import MOST_PARTS, OVERHEAD
from uploadsvc.refusals import Refusal

BODY = bytes(range(256)) * 40
B = "----WebKitFormBoundaryABC"
TYPE = f"multipart/form-data; boundary={B}"


def file(name: str, data: bytes, field: str = "f") -> bytes:
    head = f'--{B}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    return head.encode() + data + b"\r\n"


def value(name: str, text: str) -> bytes:
    return f'--{B}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()


END = f"--{B}--\r\n".encode()


def request(body: bytes, more: str = "") -> bytes:
    head = f"POST /uploads/ HTTP/1.1\r\nHost: here\r\nContent-Type: {TYPE}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def send(service: Any, body: bytes, more: str = "") -> Any:
    connection = service.connect()
    connection.send(request(body, more))
    (answer,) = connection.answers()
    return answer


@pytest.mark.parametrize("step", [1, 7, 10**6])
@pytest.mark.parametrize("behind", [b"", b"epilogue\r\n"])
def test_whole_byte_by_byte_and_with_more_behind(service: Any, step: int, behind: bytes) -> None:
    data = BODY[:3000] + b"\r\n--" + B[:-1].encode() + b"\r\r\n"
    whole = request(value("note", "hello") + file("a.png", data) + file("ü", b"") + file("", b"") + END + behind)
    connection = service.connect()
    for at in range(0, len(whole), step):
        connection.channel.dataReceived(whole[at : at + step])
    ((status, headers, body),) = connection.answers()
    assert (status, headers["content-type"]) == (201, "application/json")
    assert [(each["name"], each["size"]) for each in json.loads(body)] == [("a.png", len(data)), ("ü", 0)]
    assert service.files() == {"a.png": data, "ü": b""} and not connection.transport.disconnecting


def test_written_as_it_arrives_and_published_at_the_end(service: Any) -> None:
    body = file("x", BODY) + file("y", BODY) + END
    connection = service.connect()
    connection.send(request(body)[:-3000])
    files = service.files()
    assert len(files) == 2 and all(name.startswith(".parts/") for name in files)
    assert max(map(len, files.values())) == len(BODY)
    connection.send(body[-3000:])
    assert service.files() == {"x": BODY, "y": BODY} and service.site.intake.under_way == 0


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "malformed"),
        (b"x" * 100, 400, "malformed"),
        (END, 400, "no file"),
        (value("a", "b") + END, 400, "no file"),
        (file("x", b"abc"), 400, "malformed"),
        (file("x", b"abc") + f"--{B}-".encode(), 400, "malformed"),
        (file("x", b"abc") + f"--{B}\r\nContent-Disposition: form-data".encode(), 400, "malformed"),
        (file("x", b"abc") + file("x", b"def") + END, 400, "one name"),
        (file("x", b"abc") + file("a/y", b"def") + END, 400, "slash"),
        (file("x", b"abc") + file(".y", b"def") + END, 400, "dot"),
        (file("x", b"abc") + file("a\0b", b"def") + END, 400, "control"),
        (file("x", b"abc") + file("y", b"d" * 1001) + END, 413, "larger"),
        (file("x", b"abc") + value("a", "b") * 10_000 + END, 413, "more than 100 parts"),
        (b"".join(file(f"f{at}", b"") for at in range(MOST_PARTS + 1)) + END, 413, "more than 100 parts"),
        (file("x" * 5000, b"abc") + END, 413, "too long"),
        (file("x", b"abc").replace(b"Content-Type", b"\r\n\r\n") + END, 201, "x"),
        (file("x", b"abc").replace(b"\r\n", b"\n") + END, 400, "malformed"),
        (file("x", b"abc").replace(b'"x"', b'"\xff"') + END, 400, "malformed: Segment header failed to decode.\n"),
    ],
)
def test_forms_that_cannot_be_taken(make_uploads: Callable[..., Any], body: bytes, status: int, words: str) -> None:
    service = make_uploads(max_size=1000)
    got, _, text = send(service, body)
    assert got == status and words in text.decode()
    assert (service.files() == {}) == (status != 201) and service.site.intake.under_way == 0


@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=x", "text/plain", "multipart/form-data"])
def test_what_is_no_form(service: Any, kind: str) -> None:
    connection = service.connect()
    connection.send(f"POST /uploads/ HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n".encode())
    assert connection.answers()[0][0] == (400 if kind == "multipart/form-data" else 415)


def test_too_large_in_all(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(max_size=1000)
    length = 1000 + OVERHEAD
    for size, status in ((length, None), (length + 1, 413)):
        connection = service.connect()
        connection.send(request(b"").replace(b"Length: 0", b"Length: %d" % size))
        assert [answer[0] for answer in connection.answers()] == ([] if status is None else [status])


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ("Sec-Fetch-Site: same-origin\r\n", 201),
        ("Sec-Fetch-Site: none\r\n", 201),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Origin: http://here\r\n", 201),
        ("Origin: https://HERE\r\n", 201),
        ("Origin: http://elsewhere\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin: http://[x\r\n", 403),
        ("", 201),
    ],
)
def test_forms_of_other_sites_are_refused(service: Any, more: str, status: int) -> None:
    assert send(service, file("x", b"abc") + END, more)[0] == status


def test_cut_short_leaves_nothing(service: Any) -> None:
    whole = request(file("x", BODY) + file("y", BODY) + END)
    for left in (1, 20, 3000, len(BODY) + 200):
        connection = service.connect()
        connection.send(whole[:-left])
        connection.lose()
    assert service.files() == {} and service.site.intake.under_way == 0


def test_only_where_nothing_is(service: Any) -> None:
    (service.root / "x").write_bytes(b"old")
    assert send(service, file("x", b"abc") + END, "If-None-Match: *\r\n")[0] == 412
    assert service.files() == {"x": b"old"}
    assert send(service, file("x", b"abc") + END)[0] == 201 and service.files() == {"x": b"abc"}


def test_all_of_a_form_or_nothing(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(total_size=1000)
    (service.root / "y").write_bytes(b"old")
    (service.root / "folder").mkdir()
    assert send(service, file("x", b"abc") + file("y", b"abc") + END, "If-None-Match: *\r\n")[0] == 412
    assert send(service, file("x", b"abc") + file("folder", b"abc") + END)[0] == 409
    connection = service.connect()  # chunked, as the head tells no size
    body = file("x", b"a" * 400) + file("y", b"a" * 601) + END
    head = request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    connection.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert connection.answers()[0][0] == 507
    assert service.files() == {"y": b"old"}
    (service.root / "y").write_bytes(b"a" * 900)
    connection = service.connect()
    body = body.replace(b"a" * 601, b"a" * 600)
    connection.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert connection.answers()[0][0] == 201, "what is replaced does not count"


def test_a_full_disk(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, batch: Any) -> int:
        raise OSError(28, "no space")

    monkeypatch.setattr(os, "writev", full)
    assert send(service, file("x", BODY) + END)[0] == 507
    assert service.files() == {}


def test_coded_forms_are_refused(service: Any) -> None:
    assert send(service, file("x", b"abc") + END, "Content-Encoding: gzip\r\n")[0] == 415


def test_how_many_at_a_time(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(parallel=1)
    first = service.connect()
    first.send(request(file("x", b"abc") + END)[:-5])
    assert send(service, file("y", b"abc") + END)[0] == 503
    assert isinstance(service.site.intake.busy(), Refusal)


def test_a_form_that_breaks_between_two_files_says_which_stand(
    make_uploads: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_uploads(spool="/unused")
    real = service.site.intake.store.journal.around

    def around(journal: Any, source: Any, name: str, *rest: Any) -> Any:
        if name == "b":
            raise OSError(errno.EIO, "Input/output error")
        return real(source, name, *rest)

    monkeypatch.setattr(type(service.site.intake.store.journal), "around", around)
    status, _, body = send(service, file("a", b"1") + file("b", b"22") + file("c", b"333") + END)
    assert status == 500 and b"these are there: a.\n" in body
    assert {name: data for name, data in service.files().items() if not name.startswith(".events")} == {"a": b"1"}
    (event,) = service.root.glob(".events/*.spool")
    assert b'"name":"a"' in event.read_bytes()
