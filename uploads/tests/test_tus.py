"""tus 1.0.0, request by request, over a site in memory: the life of an upload."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from .tus_client import BODY, BOTH, TYPE, Client, finals, metadata, patch_head


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

    def seen(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", seen)
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
def test_bounds_hold_where_the_length_is_put_off(
    make_uploads: Callable[..., Any], options: dict[str, int], status: int
) -> None:
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
