"""Resumable uploads in an object store when something dies: a host at the worst moments, an answer, the store."""

from typing import Any

import pytest
from uploadsvc.s3 import stretch
from uploadsvc.s3.bucket import Bucket
from uploadsvc.s3.calls import StoreFailed
from uploadsvc.s3.shelf import FORCE
from uploadsvc.s3.upload import S3Upload

from .s3_hosts import LARGE, MIB, begin, create, handle, offset, patch


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
