"""Resumable uploads in an object store: parts and tails, several hosts, and who has an upload."""

import base64
from typing import Any

import pytest
from uploadsvc.s3.listening import LOOK
from uploadsvc.s3.record import Lost
from uploadsvc.s3.shelf import S3Shelf
from uploadsvc.s3.store import PROBE
from uploadsvc.tus.shelf import KEPT_AFTER_USE

from .s3_hosts import LARGE, MIB, begin, create, handle, offset, patch


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
