"""When bytes count and files are published: checksums, crashes, and whose an upload is."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from .tus_client import BODY, BOTH, Client, finals, patch_head

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


# -- publishing, and its accidents


def test_only_where_nothing_is(service: Any, client: Client) -> None:
    where = client.create(3, "x", If_None_Match="*")
    (service.root / "x").write_bytes(b"somebody was faster")
    assert client.patch(where, 0, b"abc")[0] == 412
    assert finals(service) == {"x": b"somebody was faster"}
    assert client.ask("HEAD", where)[0] == 412, "a client that hears of three bytes of three takes its file for there"
    (service.root / "x").unlink()
    assert client.offset(where) == 3 and finals(service) == {"x": b"abc"}


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
