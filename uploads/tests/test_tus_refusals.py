"""What the tus part of the service refuses."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from .tus_client import BODY, BOTH, Client, finals, metadata, patch_head


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
def test_patches_that_are_refused(
    service: Any, client: Client, offset: int, size: int, headers: dict[str, Any], status: int
) -> None:
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
