"""tus 1.0.0, request by request, over a site in memory."""

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from uploadsvc.tus.holding import TAKE_OVER
from uploadsvc.tus.shelf import HALF_MADE, KEPT_AFTER_USE, Shelf

BODY = bytes(range(256)) * 40
TYPE = "application/offset+octet-stream"
BOTH = pytest.mark.parametrize("service", ["folder", "bucket"], indirect=True)


def metadata(**values: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


class Client:
    """Speaks tus on one connection."""

    def __init__(self, service: Any) -> None:
        self.connection = service.connect()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: object) -> Any:
        given = {"Tus_Resumable": "1.0.0", **headers}
        return self.connection.ask(method, path, body, **{k: str(v) for k, v in given.items() if v is not None})

    def create(self, length: int | None = len(BODY), name: str | None = "x", **headers: object) -> str:
        named = {} if name is None else {"Upload_Metadata": metadata(filename=name)}
        size = {"Upload_Defer_Length": 1} if length is None else {"Upload_Length": length}
        status, found, _ = self.ask("POST", "/uploads/", b"", **size, **named, **headers)
        assert status == 201 and found["tus-resumable"] == "1.0.0"
        location: str = found["location"]
        return location

    def patch(self, path: str, offset: int, body: bytes, **headers: object) -> Any:
        return self.ask("PATCH", path, body, **{"Upload_Offset": offset, "Content_Type": TYPE, **headers})

    def offset(self, path: str) -> int:
        status, found, _ = self.ask("HEAD", path)
        assert status == 200 and found["cache-control"] == "no-store"
        return int(found["upload-offset"])


@pytest.fixture
def client(service: Any) -> Client:
    return Client(service)


def patch_head(path: str, offset: int, length: int, more: str = "") -> bytes:
    return (
        f"PATCH {path} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: {TYPE}\r\n"
        f"Upload-Offset: {offset}\r\nContent-Length: {length}\r\n{more}\r\n"
    ).encode()


def finals(service: Any) -> dict[str, bytes]:
    return {name: data for name, data in service.files().items() if not name.startswith(".")}


# -- the life of an upload


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_created_patched_and_published(service: Any, client: Client, step: int) -> None:
    where = client.create()
    assert where.startswith("/uploads/.tus/")
    request = patch_head(where, 0, len(BODY)) + BODY
    client.connection.transport.clear()
    for at in range(0, len(request) - 1, step):
        client.connection.channel.dataReceived(request[at : min(at + step, len(request) - 1)])
    assert finals(service) == {}
    client.connection.channel.dataReceived(request[-1:])
    ((status, headers, _),) = client.connection.answers()
    assert (status, headers["upload-offset"]) == (204, str(len(BODY)))
    assert finals(service) == {"x": BODY}
    assert client.offset(where) == len(BODY), "who has not got the last answer asks"


@BOTH
def test_in_pieces_by_several_connections(service: Any, client: Client) -> None:
    where = client.create()
    for at in range(0, len(BODY), 3000):
        other = Client(service)
        assert other.offset(where) == at
        status, headers, _ = other.patch(where, at, BODY[at : at + 3000])
        assert status == 204
        assert ("upload-expires" in headers) == (at + 3000 < len(BODY))
    assert finals(service) == {"x": BODY}


@BOTH
def test_what_came_before_the_connection_was_cut_counts(service: Any, client: Client) -> None:
    where = client.create()
    cut = service.connect()
    cut.send(patch_head(where, 0, len(BODY)) + BODY[:5000])
    cut.lose()
    assert client.offset(where) == 5000 and service.site.intake.under_way == 0
    assert client.patch(where, 5000, BODY[5000:])[0] == 204
    assert finals(service) == {"x": BODY}


@pytest.mark.parametrize("patched", [False, True])
def test_what_a_broken_request_has_completed_is_durable_first(
    service: Any, client: Client, monkeypatch: pytest.MonkeyPatch, patched: bool
) -> None:
    where = client.create()
    cut = service.connect()
    head = patch_head(where, 0, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    cut.send(head + b"%x\r\n%s\r\n" % (len(BODY), BODY))  # all but the last chunk
    cut.lose()
    assert finals(service) == {}
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_ino), fsync(fd)))
    if patched:
        assert client.patch(where, len(BODY), b"")[0] == 204
    else:
        assert client.offset(where) == len(BODY)
    assert finals(service) == {"x": BODY} and (service.root / "x").stat().st_ino in synced


@BOTH
def test_created_with_its_bytes(service: Any, client: Client) -> None:
    made = {"Upload_Length": len(BODY), "Upload_Metadata": metadata(filename="ü"), "Content_Type": TYPE}
    status, headers, _ = client.ask("POST", "/uploads/", BODY[:4000], **made)
    assert (status, headers["upload-offset"]) == (201, "4000")
    assert client.patch(headers["location"], 4000, BODY[4000:])[0] == 204
    assert finals(service) == {"ü": BODY}
    status, headers, _ = client.ask("POST", "/uploads", BODY, **{**made, "Upload_Metadata": None})
    assert (status, headers["upload-offset"]) == (201, str(len(BODY)))
    assert finals(service)[headers["location"].rpartition("/")[2]] == BODY, "without a name it is called by its identifier"


@pytest.mark.parametrize(("options", "status"), [({"max_size": 1000}, 413), ({"total_size": 1000}, 507)])
def test_bounds_hold_where_the_length_is_put_off(make_uploads: Callable[..., Any], options: dict, status: int) -> None:
    service = make_uploads(**options)
    connection = service.connect()
    connection.send(
        b"POST /uploads/ HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Defer-Length: 1\r\nExpect: 100-continue\r\n"
        b"Content-Type: application/offset+octet-stream\r\nContent-Length: 1001\r\n\r\n"
    )
    assert [answer[0] for answer in connection.answers()] == [status], "from the head, as large bodies go past Python"
    assert service.files() == {}


@BOTH
def test_no_bytes_at_all(service: Any, client: Client) -> None:
    where = client.create(0)
    assert finals(service) == {"x": b""} and client.offset(where) == 0
    assert client.patch(where, 0, b"")[0] == 204


@BOTH
def test_length_said_later(service: Any, client: Client) -> None:
    where = client.create(None)
    assert client.ask("HEAD", where)[1]["upload-defer-length"] == "1"
    assert client.patch(where, 0, BODY[:100])[0] == 204
    assert Client(service).patch(where, 100, BODY[100:200], Upload_Length=99)[0] == 400
    assert client.patch(where, 100, BODY[100:200], Upload_Length=len(BODY))[0] == 204
    assert Client(service).patch(where, 200, BODY[200:], Upload_Length=len(BODY) + 1)[0] == 400
    assert client.ask("HEAD", where)[1]["upload-length"] == str(len(BODY))
    assert finals(service) == {}
    assert client.patch(where, 200, BODY[200:])[0] == 204
    assert finals(service) == {"x": BODY}


@BOTH
def test_terminated(service: Any, client: Client) -> None:
    where = client.create()
    client.patch(where, 0, BODY[:10])
    assert client.ask("DELETE", where)[0] == 204
    assert service.files() == {}
    for method in ("HEAD", "DELETE"):
        assert client.ask(method, where)[0] == 404
    assert client.patch(where, 10, BODY[10:])[0] == 404


@BOTH
def test_terminated_when_it_is_done(service: Any, client: Client) -> None:
    where = client.create()
    client.patch(where, 0, BODY)
    assert client.ask("DELETE", where)[0] == 204
    assert service.files() == {"x": BODY}


@BOTH
def test_metadata_comes_back(client: Client) -> None:
    said = metadata(filename="x", type="text/plain") + ",flag"
    status, headers, _ = client.ask("POST", "/uploads/", b"", Upload_Length=5, Upload_Metadata=said)
    assert status == 201
    assert client.ask("HEAD", headers["location"])[1]["upload-metadata"] == said


@BOTH
def test_what_the_server_can(client: Client) -> None:
    for path in ("/uploads/", "/uploads", "/uploads/.tus/x"):
        status, headers, _ = client.ask("OPTIONS", path, Tus_Resumable=None)
        assert (status, headers["tus-version"], headers["tus-max-size"]) == (204, "1.0.0", str(16 * 2**30))
        assert "concatenation" in headers["tus-extension"] and "sha1" in headers["tus-checksum-algorithm"]
        assert "allow" in headers


@BOTH
def test_another_method_in_a_header(service: Any, client: Client) -> None:
    where = client.create()
    given = {"X_HTTP_Method_Override": "PATCH", "Upload_Offset": 0, "Content_Type": TYPE}
    assert client.ask("POST", where, BODY, **given)[0] == 204
    assert finals(service) == {"x": BODY}


# -- refusals


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus_Resumable": "0.2.2"}, 412),
        ({"Upload_Length": None}, 400),
        ({"Upload_Length": "-1"}, 400),
        ({"Upload_Length": "5x"}, 400),
        ({"Upload_Length": "1001"}, 413),
        ({"Upload_Defer_Length": "1"}, 400),
        ({"Upload_Length": None, "Upload_Defer_Length": "2"}, 400),
        ({"Upload_Metadata": "filename %%%"}, 400),
        ({"Upload_Metadata": "a YQ==,a YQ=="}, 400),
        ({"Upload_Metadata": "filename /w=="}, 400),
        ({"Upload_Metadata": metadata(filename="../x")}, 400),
        ({"Upload_Metadata": metadata(filename=".x")}, 400),
        ({"Upload_Metadata": metadata(filename="a\0b")}, 400),
        ({"Upload_Metadata": metadata(filename="x" * 256)}, 400),
        ({"Upload_Metadata": metadata(filename="old"), "If_None_Match": "*"}, 412),
        ({"Upload_Concat": "some"}, 400),
        ({"Upload_Concat": "final;"}, 400),
        ({"Upload_Concat": "final;/uploads/x"}, 400),
        ({"Upload_Concat": "final;/uploads/.tus/" + "0" * 32}, 400),
        ({"Upload_Checksum": "crc32 AAAA"}, 400),
        ({"Upload_Checksum": "sha1 AAAA"}, 400),
    ],
)
def test_creations_that_are_refused(make_uploads: Callable[..., Any], headers: dict[str, Any], status: int) -> None:
    service = make_uploads(max_size=1000)
    (service.root / "old").touch()
    found, fields, body = Client(service).ask("POST", "/uploads/", b"", **{"Upload_Length": 5, **headers})
    assert (found, fields["tus-resumable"]) == (status, "1.0.0") and body.endswith(b".\n")
    assert ("tus-version" in fields) == (status == 412 and "Tus_Resumable" in headers)
    assert service.files() == {"old": b""}


@pytest.mark.parametrize(
    ("offset", "size", "headers", "status"),
    [
        (0, 10, {"Upload_Offset": None}, 400),
        (0, 10, {"Upload_Offset": "x"}, 400),
        (3, 10, {}, 409),
        (0, 10, {"Content_Type": "text/plain"}, 415),
        (0, 10, {"Content_Encoding": "gzip"}, 415),
        (0, len(BODY) + 1, {}, 413),
        (0, 10, {"Tus_Resumable": None}, 412),
    ],
)
def test_patches_that_are_refused(service: Any, client: Client, offset: int, size: int, headers: dict, status: int) -> None:
    where = client.create()
    found = Client(service).patch(where, offset, (BODY + b"x")[:size], **headers)
    assert (found[0], found[1]["tus-resumable"]) == (status, "1.0.0")
    assert client.offset(where) == 0
    assert client.patch(where, 0, BODY)[0] == 204


@BOTH
def test_no_such_thing(service: Any, client: Client) -> None:
    for path in ("/uploads/.tus/", "/uploads/.tus/x", "/uploads/.tus/" + "0" * 32, "/uploads/.tus/" + "0" * 31 + "/"):
        assert client.ask("HEAD", path)[0] == 404
    where = client.create()
    status, headers, _ = client.ask("PUT", where)
    assert (status, headers["allow"]) == (405, "GET, HEAD, PATCH, DELETE, OPTIONS")
    assert client.ask("POST", where, b"")[0] == 405
    assert Client(service).ask("DELETE", where, b"x")[0] == 400
    assert Client(service).ask("POST", "/uploads/", b"x", Upload_Length=1)[0] == 415


@BOTH
def test_a_chunked_body_is_measured_as_it_comes(service: Any, client: Client) -> None:
    where = client.create(10)
    head = patch_head(where, 0, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    connection = service.connect()
    connection.send(head + b"8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n")
    assert connection.answers()[0][0] == 413
    assert client.offset(where) == 8


def test_a_full_disk_keeps_what_it_has(service: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    where = client.create()
    real, left = os.writev, [2]

    def writev(fd: int, batch: Any) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "no space")
        return real(fd, batch)

    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", writev)
        full = service.connect()
        full.send(patch_head(where, 0, len(BODY)) + BODY[:4000])
        full.send(BODY[4000:6000])
        full.send(BODY[6000:])
    assert full.answers()[0][0] == 507
    assert client.offset(where) == 6000
    assert client.patch(where, 6000, BODY[6000:])[0] == 204 and finals(service) == {"x": BODY}


# -- checksums


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512", "md5"])
def test_checksums(service: Any, client: Client, algorithm: str) -> None:
    def checksum(data: bytes) -> str:
        return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"

    where = client.create()
    status, _, _ = client.patch(where, 0, BODY, Upload_Checksum=checksum(b"other"))
    assert status == 460 and client.offset(where) == 0 and finals(service) == {}
    assert client.patch(where, 0, BODY[:100], Upload_Checksum=checksum(BODY[:100]))[0] == 204
    assert client.patch(where, 100, BODY[100:], Upload_Checksum=checksum(BODY[100:]))[0] == 204
    assert finals(service) == {"x": BODY}


@BOTH
def test_bytes_whose_checksum_never_came_do_not_count(service: Any, client: Client) -> None:
    where = client.create()
    client.patch(where, 0, BODY[:10])
    cut = service.connect()
    checksum = "Upload-Checksum: sha1 " + base64.b64encode(hashlib.sha1(BODY[10:]).digest()).decode() + "\r\n"
    cut.send(patch_head(where, 10, len(BODY) - 10, checksum) + BODY[10:5000])
    cut.lose()
    assert client.offset(where) == 10


def test_nor_over_a_crash(service: Any, client: Client) -> None:
    where = client.create()
    client.patch(where, 0, BODY[:10])
    folder = service.root / ".tus" / where.rpartition("/")[2]
    (folder / "doubtful").write_bytes(b"4")
    assert client.offset(where) == 4 and not (folder / "doubtful").exists()


# -- taking over


def test_a_second_request_takes_over(service: Any, client: Client) -> None:
    where = client.create()
    hanging = service.connect()
    hanging.send(patch_head(where, 0, len(BODY)) + BODY[:3000])
    client.connection.transport.clear()
    client.connection.send(f"HEAD {where} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n\r\n".encode())
    assert client.connection.answers() == []
    service.clock.look()
    assert hanging.answers()[0][0] == 423 and hanging.transport.half_closed
    service.clock.advance(0.1)
    assert client.connection.answers()[0][1]["upload-offset"] == "3000"
    hanging.send(BODY[3000:])
    assert client.offset(where) == 3000, "what the one that was broken off still sends does not count"
    assert client.patch(where, 3000, BODY[3000:])[0] == 204
    assert finals(service) == {"x": BODY} and service.clock.readers == []


def test_one_that_does_not_let_go(make_uploads: Callable[..., Any]) -> None:
    stuck: list[Deferred[Any]] = []

    def run(job: Callable[[], Any]) -> "Deferred[Any]":
        if getattr(getattr(job, "func", None), "__name__", "") == "append":
            stuck.append(Deferred())
            return stuck[-1]
        return maybeDeferred(job)

    service = make_uploads(run)
    client = Client(service)
    where = client.create()
    hanging = service.connect()
    hanging.send(patch_head(where, 0, len(BODY)) + BODY[:3000])
    waiting = service.connect()
    waiting.send(patch_head(where, 0, len(BODY)))
    service.clock.pump([0.05] * int(TAKE_OVER / 0.05 + 2))
    assert waiting.answers()[0][0] == 423


def test_a_client_that_leaves_while_its_upload_is_opened(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    for _ in range(2):
        connection = service.connect()
        connection.send(
            b"POST /uploads/ HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 9\r\nContent-Length: 0\r\n\r\n"
        )
        held.run_all()
        where = connection.answers()[0][1]["location"]
        for jobs in (0, 1, 2):
            leaving = service.connect()
            leaving.send(patch_head(where, 0, 9))
            for _ in range(jobs):
                held.run_one()
            leaving.lose()
            held.run_all()
        connection.transport.clear()
        connection.send(patch_head(where, 0, 9) + b"123456789")
        held.run_all()
        assert connection.answers()[0][0] == 204, "no lock was left behind"
    assert service.site.intake.under_way == 0 and service.clock.readers == []


# -- concatenation


def part(client: Client, data: bytes) -> str:
    where = client.create(len(data), None, Upload_Concat="partial")
    assert client.patch(where, 0, data)[0] == 204
    return where


def final(client: Client, *parts: str, **more: object) -> Any:
    named = {"Upload_Metadata": metadata(filename="whole")}
    return client.ask("POST", "/uploads/", b"", Upload_Concat="final;" + " ".join(parts), **named, **more)


@BOTH
def test_parts_become_one(service: Any, client: Client) -> None:
    one, two = part(client, BODY[:3000]), part(client, BODY[3000:])
    assert finals(service) == {}, "a part is no file"
    assert client.ask("HEAD", one)[1]["upload-concat"] == "partial"
    status, headers, _ = final(client, one, "http://x" + two)
    assert status == 201 and finals(service) == {"whole": BODY}
    status, found, _ = client.ask("HEAD", headers["location"])
    assert (found["upload-offset"], found["upload-length"]) == (str(len(BODY)), str(len(BODY)))
    assert found["upload-concat"] == f"final;{one} http://x{two}"
    assert Client(service).patch(headers["location"], len(BODY), b"x")[0] == 403
    assert final(client, one, two)[0] == 201, "a client that has not got the answer asks again"
    assert final(client, two, one, two)[0] == 201
    assert finals(service) == {"whole": BODY[3000:] + BODY[:3000] + BODY[3000:]}


def test_parts_that_do_not_make_one(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(max_size=10)
    client = Client(service)
    unfinished, no_part = client.create(5, None, Upload_Concat="partial"), client.create(2)
    one, two = part(client, b"123456"), part(client, b"123456")
    assert final(client, one, unfinished)[0] == 400
    assert final(client, one, no_part)[0] == 400
    assert final(client, one, two)[0] == 413
    assert finals(service) == {}
    (service.root / "whole").write_bytes(b"old")
    assert final(client, one, If_None_Match="*")[0] == 412
    (service.root / "whole").unlink()
    (service.root / "whole").mkdir()
    assert final(client, one)[0] == 409, "and nothing is left of it"
    assert len(list((service.root / ".tus").iterdir())) == 4


def test_where_the_kernel_cannot_copy(service: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> int:
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "copy_file_range", cannot)
    assert final(client, part(client, BODY[:3000]), part(client, BODY[3000:]))[0] == 201
    assert finals(service) == {"whole": BODY}


# -- publishing, and its accidents


def test_only_where_nothing_is(service: Any, client: Client) -> None:
    where = client.create(3, "x", If_None_Match="*")
    (service.root / "x").write_bytes(b"somebody was faster")
    assert client.patch(where, 0, b"abc")[0] == 412
    assert finals(service) == {"x": b"somebody was faster"}
    assert client.offset(where) == 3


def test_a_crash_before_and_after_publishing(service: Any, client: Client) -> None:
    for exclusive in (None, "*"):
        where = client.create(3, "x", If_None_Match=exclusive)
        data = service.root / ".tus" / where.rpartition("/")[2] / "data"
        data.write_bytes(b"abc")  # the last byte was written, and then it was killed
        assert client.offset(where) == 3 and finals(service) == {"x": b"abc"}
        (service.root / "x").unlink()
    where = client.create(3, "x", If_None_Match="*")
    data = service.root / ".tus" / where.rpartition("/")[2] / "data"
    data.write_bytes(b"abc")
    (service.root / "x").hardlink_to(data)  # killed between link and unlink
    assert client.patch(where, 3, b"")[0] == 204 and finals(service) == {"x": b"abc"} and not data.exists()


# -- users


def test_an_upload_is_its_users_alone(make_uploads: Callable[..., Any]) -> None:
    class Writers:
        user = b"alice"

        async def user_of(self, asked: Any) -> bytes:
            self.asked = asked
            return self.user

    service, writers = make_uploads(), Writers()
    service.site.writers = writers
    client = Client(service)
    where = client.create()
    assert writers.asked.method == b"POST"
    writers.user = b"bob"
    assert client.ask("HEAD", where)[0] == 404
    assert client.ask("DELETE", where)[0] == 404
    assert Client(service).patch(where, 0, BODY)[0] == 404
    writers.user = b"alice"
    sending = service.connect()
    sending.send(patch_head(where, 0, len(BODY)) + BODY[:-1])
    writers.user = b"bob"
    for method in ("HEAD", "DELETE"):
        assert client.ask(method, where)[0] == 404, "at once, and the holder does not hear of it"
    service.clock.look()
    writers.user = b"alice"
    sending.send(BODY[-1:])
    assert sending.answers()[0][0] == 204
    del writers.asked
    status, headers, _ = client.ask("OPTIONS", "/uploads/")
    assert status == 204 and not hasattr(writers, "asked")
    assert headers["www-authenticate"].startswith("Basic "), "so that a page knows that a login will be asked for"


@pytest.mark.parametrize("way", ["creation", "patch", "put"])
def test_no_more_at_a_time_while_the_disk_is_asked(make_uploads: Callable[..., Any], held: Any, way: str) -> None:
    service = make_uploads(held, parallel=1, total_size=10**6)
    where = []
    for _ in range(2):
        connection = service.connect()
        connection.send(b"POST /uploads/ HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Length: 9\r\n\r\n")
        held.run_all()
        where.append(connection.answers()[0][1]["location"])
    heads = [patch_head(path, 0, 9) for path in where]
    if way == "creation":
        heads = [head.replace(b"PATCH " + where[at].encode(), b"POST /uploads/") for at, head in enumerate(heads)]
        heads = [head.replace(b"Upload-Offset: 0", b"Upload-Length: 9") for head in heads]
    if way == "put":
        heads = [b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"] * 2
    both = [service.connect() for _ in heads]
    for connection, head in zip(both, heads, strict=True):
        connection.send(head + b"abc")
    held.run_all()
    assert [[answer[0] for answer in connection.answers()] for connection in both] == [[], [503]]
    both[0].send(b"defghi")
    held.run_all()
    assert both[0].answers()[0][0] in (201, 204) and service.site.intake.busy() is None


# -- time


def age(service: Any, where: str, seconds: float) -> None:
    folder = service.root / ".tus" / where.rpartition("/")[2]
    then = time.time() - seconds
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))


def test_expiry(service: Any, client: Client) -> None:
    shelf, now = Shelf(service.site.intake.store), time.time()
    young, old, busy, done = (client.create(name=name) for name in "abcd")
    client.patch(done, 0, BODY)
    hanging = service.connect()
    hanging.send(patch_head(busy, 0, len(BODY)) + BODY[:10])
    for where in (old, busy, done):
        age(service, where, 3700)
    age(service, young, 3500)
    assert shelf.sweep(now, 3600) == 1
    assert [client.ask("HEAD", where)[0] for where in (young, old, done)] == [200, 404, 404]
    hanging.send(BODY[10:])
    assert hanging.answers()[0][0] == 204
    assert finals(service) == {"c": BODY, "d": BODY}


def test_one_that_goes_on_while_it_is_looked_at_stays(service: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    where, shelf = client.create(), Shelf(service.site.intake.store)
    age(service, where, 100)
    opened = Shelf.open

    def slow(shelf: Shelf, upload_id: str, ring: bool = True) -> Any:
        monkeypatch.setattr(Shelf, "open", opened)
        assert client.patch(where, 0, BODY[:-1])[0] == 204
        return opened(shelf, upload_id, ring)

    monkeypatch.setattr(Shelf, "open", slow)
    assert shelf.sweep(time.time(), 50) == 0
    assert client.offset(where) == len(BODY) - 1


def test_parts_that_were_used_go_sooner_and_what_is_half_made(service: Any, client: Client) -> None:
    shelf, now = Shelf(service.site.intake.store), time.time()
    one, other = part(client, BODY), part(client, BODY)
    final(client, one)
    half_made = service.root / ".tus" / ("0" * 32)
    half_made.mkdir()
    (half_made / "data").touch()
    for where in (one, other):
        age(service, where, KEPT_AFTER_USE + 10)
    age(service, str(half_made), HALF_MADE - 10)
    assert shelf.sweep(now, 36000) == 0
    assert [client.ask("HEAD", where)[0] for where in (one, other)] == [404, 200] and half_made.exists()
    age(service, str(half_made), HALF_MADE + 10)
    assert shelf.sweep(now, 36000) == 1 and not half_made.exists()


@BOTH
def test_the_list_does_not_show_what_is_not_whole(client: Client) -> None:
    client.create()
    assert json.loads(client.connection.ask("GET", "/uploads/")[2]) == []
