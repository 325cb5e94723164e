"""Resumable uploads in an object store: parts and tails, several hosts, who has an upload, and crashes at the worst moments."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from uploadsvc.s3 import shelf, spool, stretch
from uploadsvc.s3.bucket import Bucket
from uploadsvc.s3.calls import StoreFailed
from uploadsvc.s3.listening import LOOK
from uploadsvc.s3.record import Handle, Lost
from uploadsvc.s3.shelf import FORCE, S3Shelf
from uploadsvc.s3.store import PROBE
from uploadsvc.s3.upload import S3Upload
from uploadsvc.tus.shelf import KEPT_AFTER_USE

MIB = 1 << 10
"""All sizes are a thousandth of what they are elsewhere, those of parts too, as time is short."""
LARGE = bytes(range(256)) * 4 * 21  # 21 "MiB": two parts of 8 and 5 more
TYPE = "application/offset+octet-stream"


def create(service: Any, length: int, name: str = "x", **more: str) -> str:
    named = "filename " + base64.b64encode(name.encode()).decode()
    given = {"Tus_Resumable": "1.0.0", "Upload_Length": str(length), "Upload_Metadata": named, **more}
    status, headers, _ = service.connect().ask("POST", "/uploads/", b"", **given)
    assert status == 201
    where: str = headers["location"]
    return where


def patch(service: Any, where: str, offset: int, body: bytes, **more: str) -> int:
    given = {"Tus_Resumable": "1.0.0", "Upload_Offset": str(offset), "Content_Type": TYPE, **more}
    status: int = service.connect().ask("PATCH", where, body, **given)[0]
    return status


def offset(service: Any, where: str) -> int:
    status, headers, _ = service.connect().ask("HEAD", where, Tus_Resumable="1.0.0")
    assert status == 200
    return int(headers["upload-offset"])


def begin(service: Any, where: str, at: int, length: int, body: bytes) -> Any:
    """A PATCH that hangs."""
    connection = service.connect()
    connection.send(
        f"PATCH {where} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: {TYPE}\r\n"
        f"Upload-Offset: {at}\r\nContent-Length: {length}\r\n\r\n".encode()
        + body
    )
    return connection


def handle(service: Any, where: str) -> Handle:
    return Handle.read(service.site.intake.store.bucket, where.rpartition("/")[2])


@pytest.fixture
def pair(make_in_bucket: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Two hosts with one bucket."""
    monkeypatch.setattr(spool, "PART", 8 * MIB)
    monkeypatch.setattr(stretch, "LEAST_PART", 5 * MIB)
    monkeypatch.setattr(shelf, "LEAST_PART", 5 * MIB)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 5 * MIB)
    return make_in_bucket(max_size=64 * MIB), make_in_bucket(max_size=64 * MIB)


def test_each_request_on_another_host(pair: Any) -> None:
    where = create(pair[0], len(LARGE))
    at = 0
    for number, size in enumerate((100, 5 * MIB, 3, 9 * MIB, MIB, 0)):
        service = pair[number % 2]
        assert offset(service, where) == at
        assert patch(service, where, at, LARGE[at : at + size]) == 204
        at += size
        assert pair[0].finals() == {} and handle(service, where).record.holder == ""
    assert patch(pair[1], where, at, LARGE[at:]) == 204
    assert pair[0].finals() == {"x": LARGE} and pair[0].bucket.in_the_making() == []
    assert list(pair[0].files()) == [f"{where.removeprefix('/uploads/')}/record", "x"], "no tail is left"


def test_cut_in_the_middle_of_a_part(pair: Any) -> None:
    where = create(pair[0], len(LARGE))
    at = 0
    for size in (3 * MIB, 7 * MIB, 10 * MIB):
        begin(pair[0], where, at, len(LARGE) - at, LARGE[at : at + size]).lose()
        at += size
        assert offset(pair[1], where) == at, "what has come counts, to the byte"
    assert patch(pair[1], where, at, LARGE[at:]) == 204 and pair[0].finals() == {"x": LARGE}


@pytest.mark.parametrize("sure", [0, 7, 9 * MIB])
def test_large_bodies_with_a_checksum(pair: Any, sure: int) -> None:
    import hashlib

    where = create(pair[0], len(LARGE))
    assert patch(pair[0], where, 0, LARGE[:sure]) == 204
    good = "sha1 " + base64.b64encode(hashlib.sha1(LARGE[sure:]).digest()).decode()
    wrong = "sha1 " + base64.b64encode(hashlib.sha1(b"").digest()).decode()
    assert patch(pair[0], where, sure, LARGE[sure:], Upload_Checksum=wrong) == 460
    assert offset(pair[1], where) == sure and pair[0].finals() == {}
    assert patch(pair[1], where, sure, LARGE[sure:], Upload_Checksum=good) == 204
    assert pair[0].finals() == {"x": LARGE}


@pytest.mark.parametrize("method", ["HEAD", "DELETE"])
def test_a_request_on_another_host_takes_over(pair: Any, method: str) -> None:
    where = create(pair[0], len(LARGE))
    hanging = begin(pair[0], where, 0, len(LARGE), LARGE[: 9 * MIB])
    asking = pair[1].connect()
    asking.send(f"{method} {where} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Length: 0\r\n\r\n".encode())
    assert asking.answers() == [] and hanging.answers() == []
    pair[0].clock.advance(LOOK)
    assert hanging.answers()[0][0] == 423, "its holder looks, and lets go"
    pair[1].clock.advance(1)
    ((status, headers, _),) = asking.answers()
    assert (status, headers.get("upload-offset")) == ((200, str(9 * MIB)) if method == "HEAD" else (204, None))
    hanging.send(LARGE[9 * MIB :])
    hanging.lose()
    assert pair[0].finals() == {}
    if method == "HEAD":
        assert patch(pair[1], where, 9 * MIB, LARGE[9 * MIB :]) == 204 and pair[0].finals() == {"x": LARGE}
    else:
        assert pair[0].files() == {} and pair[0].bucket.in_the_making() == []


def test_a_holder_that_is_dead_loses_it_after_a_while_and_cannot_write_on(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    pair[1].site.desk._shelf._now = lambda: now[0]
    where = create(pair[0], len(LARGE))
    dead = begin(pair[0], where, 0, len(LARGE), LARGE[: 9 * MIB])  # its clock stands still
    asking = pair[1].connect()
    asking.send(f"HEAD {where} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n\r\n".encode())
    now[0] = FORCE - 0.1
    pair[1].clock.advance(1)
    assert asking.answers() == []
    now[0] = FORCE
    pair[1].clock.advance(1)
    assert asking.answers()[0][1]["upload-offset"] == str(8 * MIB), "its parts count; what it had not sent on does not"
    assert patch(pair[1], where, 8 * MIB, b"y" * MIB) == 204
    dead.send(LARGE[9 * MIB :])
    assert dead.answers()[0][0] == 423
    dead.lose()
    assert offset(pair[1], where) == 9 * MIB
    assert patch(pair[1], where, 9 * MIB, LARGE[9 * MIB :]) == 204
    assert pair[0].finals() == {"x": LARGE[: 8 * MIB] + b"y" * MIB + LARGE[9 * MIB :]}


def test_of_two_that_read_it_alike_one_may_write(pair: Any) -> None:
    where = create(pair[0], 10)
    first, second = handle(pair[0], where), handle(pair[1], where)
    first.change(holder=first.token)
    for what in ({"holder": second.token}, {"next": 2}):
        with pytest.raises(Lost):
            second.change(**what)
    handle(pair[1], where).ask()
    first.change(next=2)
    assert handle(pair[0], where).record.wanted, "that somebody asks hinders nobody, and is not forgotten"
    first.bucket.delete(f".tus/{first.id}/record")
    with pytest.raises(Lost):
        first.change(next=3)


def test_an_answer_of_the_store_that_got_lost(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library makes a call again whose answer got lost: the second one finds the first one's work."""
    for name in ("put", "complete"):
        real = getattr(Bucket, name)

        def twice(bucket: Bucket, *given: Any, real: Any = real, **more: Any) -> Any:
            real(bucket, *given, **more)
            for body in given:
                if hasattr(body, "seek"):
                    body.seek(0)
            return real(bucket, *given, **more)

        monkeypatch.setattr(Bucket, name, twice)
    where = create(pair[0], len(LARGE), If_None_Match="*")
    assert patch(pair[0], where, 0, LARGE[:MIB]) == 204 and patch(pair[1], where, MIB, LARGE[MIB:]) == 204
    assert pair[0].connect().ask("PUT", "/uploads/y", b"abc", If_None_Match="*")[0] == 201
    assert pair[0].finals() == {"x": LARGE, "y": b"abc"}


def gone(bucket: Bucket, *_: Any, **__: Any) -> str:
    """As S3 answers for a multipart upload that is completed, and whose object is another's now; moto breaks down there."""
    raise FileNotFoundError("NoSuchUpload")


@pytest.mark.parametrize("size", [100, len(LARGE)])
@pytest.mark.parametrize("completed", [False, True])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_crash_at_the_very_end(
    pair: Any, monkeypatch: pytest.MonkeyPatch, size: int, completed: bool, replaced: bool
) -> None:
    where = create(pair[0], size)
    real = S3Upload._store

    def crash(upload: S3Upload, spool: Any) -> Any:
        if completed:
            real(upload, spool)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(S3Upload, "_store", crash)
        patched.setattr(stretch.S3Stretch, "discard", lambda _: None)
        dying = begin(pair[0], where, 0, size, LARGE[:size])
        assert not dying.answers() or dying.answers()[0][0] >= 400
    pair[0].site.desk._shelf._now = pair[1].site.desk._shelf._now = lambda: 0.0
    if replaced:
        assert pair[1].connect().ask("PUT", "/uploads/x", b"another")[0] in (200, 201)
    now = handle(pair[1], where)
    if now.record.holder:
        now.change(holder="")
    if completed and replaced:
        monkeypatch.setattr(Bucket, "complete", gone)
    at = offset(pair[1], where)
    if at < size:
        assert patch(pair[1], where, at, LARGE[at:size]) == 204
    found = pair[1].finals()["x"]
    assert found == LARGE[:size] or (replaced and found == b"another")
    assert offset(pair[0], where) == size and pair[0].bucket.in_the_making() == []


@pytest.mark.parametrize("sizes", [(6 * MIB, 9 * MIB, 3), (3, 6 * MIB, 0, 10), (0,), (4,)])
def test_parts_become_one(pair: Any, sizes: tuple[int, ...]) -> None:
    parts, at = [], 0
    for number, size in enumerate(sizes):
        service = pair[number % 2]
        parts.append(create(service, size, Upload_Concat="partial"))
        if size:
            assert patch(service, parts[-1], 0, LARGE[at : at + size]) == 204
        at += size
    assert pair[0].finals() == {}
    given = {"Tus_Resumable": "1.0.0", "Upload_Metadata": "filename eA==", "Upload_Concat": "final;" + " ".join(parts)}
    for service in pair:  # who has not got the answer asks again
        status, headers, _ = service.connect().ask("POST", "/uploads/", b"", **given)
        assert status == 201 and offset(service, headers["location"]) == at
        assert service.finals() == {"x": LARGE[:at]} and service.bucket.in_the_making() == []


def test_the_janitor(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: S3Shelf = pair[0].site.desk._shelf
    left = create(pair[0], 100, "left")
    assert patch(pair[0], left, 0, LARGE[:50]) == 204
    part = create(pair[0], 9 * MIB, "part", Upload_Concat="partial")
    assert patch(pair[0], part, 0, LARGE[: 9 * MIB]) == 204
    given = {"Tus_Resumable": "1.0.0", "Upload_Metadata": "filename eA==", "Upload_Concat": f"final;{part}"}
    final = pair[0].connect().ask("POST", "/uploads/", b"", **given)[1]["location"]
    going_on = create(pair[0], len(LARGE), "going on")
    assert patch(pair[0], going_on, 0, LARGE[: 9 * MIB]) == 204
    pair[0].connect().send(b"PUT /uploads/dead HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + LARGE[: 9 * MIB])
    kept.bucket.put(".tus/" + "0" * 32 + "/tail-3", b"of what was half removed", {})
    kept.bucket.put(f"{PROBE}-of-one-that-was-killed", b"", {})
    written = max(found.modified for found in kept.bucket.listing())

    def there() -> set[str]:
        return {where for where in (left, part, final, going_on) if kept.standing(where.rpartition("/")[2], "") is not None}

    assert kept.sweep(written, 3600) == 0 and len(there()) == 4
    assert sorted(pair[0].bucket.in_the_making()) == ["dead", "going on"]
    assert kept.sweep(written + KEPT_AFTER_USE + 1, 3600) == 0 and part not in there() and len(there()) == 3
    handle(pair[0], going_on).ask()
    live = handle(pair[0], going_on)
    assert kept.store.sweep(written + 1, lambda: {live.record.upload}) == 1
    assert pair[0].bucket.in_the_making() == ["going on"]
    assert kept.sweep(written + 3700, 3600) == 2, "the one that is published does not count"
    assert there() == set() and list(pair[0].files()) == ["x"] and pair[0].bucket.in_the_making() == []


def test_a_store_that_fails_is_503_and_loses_nothing_that_counted(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    where = create(pair[0], len(LARGE))
    real = Bucket.send

    def failing(bucket: Bucket, key: str, upload: str, number: int, *rest: Any) -> Any:
        if number > 1:
            raise StoreFailed("it is down")
        return real(bucket, key, upload, number, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "send", failing)
        assert patch(pair[0], where, 0, LARGE) == 503
        assert pair[0].connect().ask("PUT", "/uploads/y", LARGE)[0] == 503
    assert offset(pair[1], where) == 8 * MIB and pair[0].bucket.in_the_making() == ["x"]
    assert patch(pair[1], where, 8 * MIB, LARGE[8 * MIB :]) == 204 and pair[0].finals() == {"x": LARGE}
