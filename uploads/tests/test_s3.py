"""An object store as the options say it: addresses, what is wrong with them, one that breaks its promises; and GET."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from svckit.sendfile import STALL
from svckit.settings import BadOptions, Settings
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from uploadsvc import fetching
from uploadsvc.journal import Event, Journal
from uploadsvc.s3.address import Address
from uploadsvc.s3.bucket import Bucket
from uploadsvc.s3.calls import StoreFailed
from uploadsvc.s3.spool import MOST_PARTS, PART, Spool, part_size
from uploadsvc.service import make_site


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("s3://b", Address("b")),
        ("s3://b/", Address("b")),
        ("s3://b/a/c%20d/", Address("b", "a/c d/")),
        (
            "s3://b/a?endpoint=http://h:9000&region=eu-1&style=path",
            Address("b", "a/", "http://h:9000", "eu-1", "path"),
        ),
        ("s3://b?endpoint=https%3A%2F%2Fh", Address("b", "", "https://h")),
    ],
)
def test_addresses(url: str, address: Address) -> None:
    assert Address.read(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://b/a", "s3://BUCKET/PREFIX"),
        ("s3://b#x", "s3://BUCKET/PREFIX"),
        ("s3:///a", "name of a bucket"),
        ("s3://b:80/a", "name of a bucket"),
        ("s3://key:hidden@b/a", "credentials do not belong"),
        ("s3://b?endpoint=http://key:hidden@h", "credentials do not belong"),
        ("s3://b?endpoint=ftp://h", "endpoint: expected"),
        ("s3://b?secret_key=hidden", "unknown parameter 'secret_key'"),
        ("s3://b?key:hidden", "parameters as NAME=VALUE"),
        ("s3://key:hidden\u2100@b", "s3://BUCKET/PREFIX"),
        ("s3://b?endpoint=http://key:hidden\u2100@h", "endpoint: expected"),
        ("s3://b?style=other", "style: expected one of auto, path, virtual"),
    ],
)
def test_what_is_no_address(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(BadOptions, match=rf"^uploads: store: .*{words}") as raised:
        make(tmp_path, url)
    assert "hidden" not in str(raised.value)


def make(tmp_path: Path, url: str, **options: object) -> Any:
    settings = Settings(
        service="uploads", replica="r1", state=tmp_path, options={"store": url, "writes": "anyone", "threads": 2, **options}
    )
    return make_site(settings, Clock(), maybeDeferred)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["total_size", "user_size"])
def test_bounds_on_all_are_the_stores_own(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadOptions, match=f"uploads: {key}: an object store is not measured here"):
        make(tmp_path, "s3://b", **{key: 10})


def test_a_bucket_that_is_not_there_is_said_at_the_start(tmp_path: Path, objects: Any) -> None:
    with pytest.raises(BadOptions, match=r"uploads: store: expected an object store to write to: .*NoSuchBucket"):
        make(tmp_path, objects.url.replace(objects.name, "b" * 20))


def test_no_credentials_are_said_at_the_start(tmp_path: Path, objects: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BadOptions, match=r"uploads: store: .*[Cc]redentials"):
        make(tmp_path, objects.url, threads=3)


def test_credentials_from_a_file_and_in_no_log(tmp_path: Path, objects: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "secret").write_text("[default]\naws_access_key_id = K\naws_secret_access_key = do-not-tell\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "secret"))
    with capturedLogs() as logs:
        site = make(tmp_path, objects.url, threads=4)
    assert "do-not-tell" not in repr(logs) + repr(vars(site.intake.store)) + repr(vars(site.intake.store.bucket))
    assert objects.objects() == {}, "the probe is gone"


@pytest.mark.parametrize("ignored", ["IfMatch", "IfNoneMatch"])
def test_a_store_without_conditional_writes_is_refused(
    tmp_path: Path, objects: Any, monkeypatch: pytest.MonkeyPatch, ignored: str
) -> None:
    real = Bucket.put

    def put(bucket: Bucket, key: str, body: bytes | BinaryIO, metadata: dict[str, str], **condition: str) -> str:
        condition.pop(ignored, None)
        return real(bucket, key, body, metadata, **condition)

    monkeypatch.setattr(Bucket, "put", put)
    with pytest.raises(BadOptions, match="knows no conditional writes"):
        make(tmp_path, objects.url)
    assert objects.objects() == {}


def test_every_call_may_fail(make_in_bucket: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    service = make_in_bucket()
    service.connect().ask("PUT", "/uploads/x", b"abc")

    def fail(*_: Any, **__: Any) -> Any:
        raise StoreFailed("it is down")

    for name in ("get", "head", "put", "delete", "listing", "begin"):
        monkeypatch.setattr(Bucket, name, fail)
    for method, path, body in (
        ("GET", "/uploads/x", None),
        ("GET", "/uploads/", None),
        ("DELETE", "/uploads/x", None),
        ("PUT", "/uploads/y", b"abc"),
    ):
        status, headers, text = service.connect().ask(method, path, body)
        assert (status, headers["retry-after"], text) == (503, "5", b"The store cannot be reached.\n")
    given = {"Tus_Resumable": "1.0.0", "Upload_Length": "3"}
    assert service.connect().ask("POST", "/uploads/", b"", **given)[0] == 503
    monkeypatch.undo()
    assert service.files() == {"x": b"abc"}


# -- GET


def get(service: Any) -> Any:
    connection = service.connect()
    connection.send(b"GET /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n")
    return connection


def test_a_client_that_takes_nothing_is_waited_for_and_cut(make_in_bucket: Callable[..., Any], held: Any) -> None:
    service = make_in_bucket(held)
    service.bucket.client.put_object(Bucket=service.bucket.name, Key="some/where/x", Body=b"x" * 3 * fetching.PIECE)
    connection = get(service)
    held.run_one()  # what is there
    held.run_one()  # the first piece
    connection.transport.producer.pauseProducing()
    held.run_all()
    assert fetching.PIECE < len(connection.transport.value()) < 3 * fetching.PIECE, "one more was on its way"
    connection.transport.producer.resumeProducing()
    held.run_one()
    connection.transport.producer.pauseProducing()
    held.run_all()
    service.clock.advance(STALL + 1)
    assert connection.transport.disconnecting


def test_an_object_that_is_replaced_before_it_is_read(make_in_bucket: Callable[..., Any], held: Any) -> None:
    service = make_in_bucket(held)
    put = {"Bucket": service.bucket.name, "Key": "some/where/x"}
    service.bucket.client.put_object(Body=b"x" * 100, **put)
    connection = get(service)
    held.run_one()
    service.bucket.client.put_object(Body=b"y" * 100, **put)
    held.run_all()
    assert connection.transport.disconnecting and b"y" not in connection.transport.value().partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("status", [404, 503])
def test_what_fails_before_anything_is_sent_is_answered(
    make_in_bucket: Callable[..., Any], held: Any, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def fail(*_: Any) -> Any:
        raise StoreFailed("it is down") if status == 503 else FileNotFoundError

    service = make_in_bucket(held)
    service.bucket.client.put_object(Bucket=service.bucket.name, Key="some/where/x", Body=b"x" * 100)
    connection = service.connect()
    connection.send(b"GET /uploads/x HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n\r\n")
    held.run_one()
    monkeypatch.setattr(Bucket, "get", fail)
    held.run_all()
    ((found, headers, text),) = connection.answers()
    assert found == status and int(headers["content-length"]) == len(text)
    assert not headers.keys() & {"etag", "content-range", "last-modified", "accept-ranges", "content-disposition"}
    assert not connection.transport.disconnecting


def test_a_client_that_leaves_in_the_middle(make_in_bucket: Callable[..., Any], held: Any) -> None:
    service = make_in_bucket(held)
    service.bucket.client.put_object(Bucket=service.bucket.name, Key="some/where/x", Body=b"x" * 3 * fetching.PIECE)
    connection = get(service)
    held.run_one()
    held.run_one()
    connection.lose()
    held.run_all()
    assert not held.jobs and not service.clock.getDelayedCalls()


# -- parts


def test_the_size_of_parts() -> None:
    assert part_size(16 << 30) == PART
    for most in (80 << 30, 5 << 40):
        assert part_size(most) * (MOST_PARTS - 1000) >= most


def test_a_spool(tmp_path: Path) -> None:
    spool, seen = Spool(tmp_path, 10), []
    for _ in spool.fill([b"abc", bytearray(b"defgh"), b"ijklmnopqrstuvwxyz", b""]):
        assert spool.full
        seen.append(spool.body().read())
        spool.empty()
    assert (seen, spool.size, spool.body().read()) == ([b"abcdefghij", b"klmnopqrst"], 6, b"uvwxyz")
    assert list(tmp_path.iterdir()) == []
    spool.close()
    spool.close()


# -- events


def test_what_a_crash_has_cut_short_is_looked_up_in_the_store(
    make_in_bucket: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_in_bucket(spool="/unused")
    journal: Journal = service.site.intake.store.journal
    monkeypatch.setattr(Journal, "_carry_on", lambda *_: None)  # as if it had died there
    for name in ("stands", "replaced"):
        assert service.connect().ask("PUT", f"/uploads/{name}", b"abc")[0] == 201
    monkeypatch.undo()
    service.bucket.client.put_object(Bucket=service.bucket.name, Key="some/where/replaced", Body=b"another")
    journal._write(Event.of("never", 3, None, "", source="0" * 32), "intent")
    journal.settle(1e12)
    (left,) = journal.folder.iterdir()
    assert left.suffix == ".spool" and b'"name":"stands"' in left.read_bytes()
