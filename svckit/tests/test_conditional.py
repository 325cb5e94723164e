"""Preconditions and ranges, row by row."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svckit.conditional import MOST_RANGES, Portion, etag_of, failed_precondition, select

TAG = b'"abc-10"'
MODIFIED = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
SAME = b"Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = b"Sun, 06 Nov 1994 08:49:36 GMT"
LATER = b"Sun, 06 Nov 1994 08:49:38 GMT"
SIZE = 100
WHOLE = Portion(200, 0, SIZE)
LONG_AFTER = MODIFIED + 1000.0


def choose(method: bytes = b"GET", size: int = SIZE, now: float = LONG_AFTER, **headers: bytes) -> Portion:
    found = {name.replace("_", "-").lower().encode(): value for name, value in headers.items()}
    return select(method, lambda name: found.get(name.lower()), TAG, MODIFIED, size, now)


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        (b"bytes=0-0", 100, Portion(206, 0, 1)),
        (b"bytes=0-99", 100, Portion(206, 0, 100)),
        (b"bytes=0-100", 100, Portion(206, 0, 100)),
        (b"bytes=10-", 100, Portion(206, 10, 90)),
        (b"bytes=99-", 100, Portion(206, 99, 1)),
        (b"bytes=99-5000", 100, Portion(206, 99, 1)),
        (b"bytes=100-", 100, Portion(416)),
        (b"bytes=100-200", 100, Portion(416)),
        (b"bytes=-1", 100, Portion(206, 99, 1)),
        (b"bytes=-100", 100, Portion(206, 0, 100)),
        (b"bytes=-101", 100, Portion(206, 0, 100)),
        (b"bytes=-" + b"9" * 5000, 100, Portion(206, 0, 100)),
        (b"bytes=" + b"0" * 5000 + b"5-" + b"9" * 5000, 100, Portion(206, 5, 95)),
        (b"bytes=" + b"9" * 5000 + b"-", 100, Portion(416)),
        (b"bytes=-0", 100, Portion(416)),
        (b"BYTES=1-2", 100, Portion(206, 1, 2)),
        (b"bytes = 1 - 2", 100, Portion(206, 1, 2)),
        (b"bytes=5-4", 100, WHOLE),
        (b"bytes=", 100, WHOLE),
        (b"bytes=-", 100, WHOLE),
        (b"bytes=a-b", 100, WHOLE),
        (b"bytes=1-2x", 100, WHOLE),
        (b"bytes=+1-2", 100, WHOLE),
        (b"bytes=--1", 100, WHOLE),
        (b"lines=1-2", 100, WHOLE),
        (b"", 100, WHOLE),
        (b"bytes=0-1,3-4", 100, Portion(206, parts=((0, 2), (3, 2)))),
        (b"bytes=5-6 ,\t0-0,,-1", 100, Portion(206, parts=((5, 2), (0, 1), (99, 1)))),
        (b"bytes=0-1,200-", 100, Portion(206, 0, 2)),  # one is left
        (b"bytes=100-,200-", 100, Portion(416)),
        (b"bytes=0-1,3-2", 100, WHOLE),
        (b"bytes=0-1,x", 100, WHOLE),
        (b"bytes=0-60,40-", 100, WHOLE),  # longer together than the file
        (b"bytes=0-59,60-", 100, Portion(206, parts=((0, 60), (60, 40)))),
        (b"bytes=0-0,-0", 100, Portion(206, 0, 1)),
        (b"bytes=,", 100, WHOLE),
        (b"bytes=" + b",".join([b"0-0"] * MOST_RANGES), 100, Portion(206, parts=((0, 1),) * MOST_RANGES)),
        (b"bytes=" + b",".join([b"0-0"] * (MOST_RANGES + 1)), 100, WHOLE),
        (b"bytes=" + b",".join([b"0-"] * 1300), 100, WHOLE),
        (b"bytes=0-", 0, Portion(416)),
        (b"bytes=0-0", 0, Portion(416)),
        (b"bytes=-5", 0, Portion(200, 0, 0)),
        (b"bytes=-0", 0, Portion(416)),
    ],
)
def test_range(value: bytes, size: int, expected: Portion) -> None:
    assert choose(size=size, Range=value) == expected


@given(st.binary(max_size=40), st.integers(0, 10**6))
def test_no_range_reaches_outside_the_file(value: bytes, size: int) -> None:
    got = choose(size=size, Range=b"bytes=" + value)
    assert got.status in (200, 206, 416)
    assert all(start >= 0 and start + count <= size for start, count in [(got.start, got.count), *got.parts])
    assert sum(count for _, count in got.parts) <= size


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))
def test_range_means_what_a_slice_means(first: int, last: int, size: int) -> None:
    got = choose(size=size, Range=b"bytes=%d-%d" % (first, last))
    body = bytes(i % 251 for i in range(size))
    if last < first:
        assert got == Portion(200, 0, size)
    elif first >= size:
        assert got == Portion(416)
    else:
        assert body[got.start : got.start + got.count] == body[first : last + 1]


def test_head_never_gets_a_part() -> None:
    assert choose(b"HEAD", Range=b"bytes=0-1") == WHOLE


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (TAG, 206),
        (b" " + TAG + b" ", 206),
        (b"W/" + TAG, 200),  # weak tags never allow a part: section 13.1.5
        (b'"other"', 200),
        (SAME, 206),
        (EARLIER, 200),
        (LATER, 200),
        (b"nonsense", 200),
        (b"", 200),
    ],
)
def test_if_range(value: bytes, status: int) -> None:
    assert choose(Range=b"bytes=0-1", If_Range=value).status == status


def test_if_range_date_is_weak_within_its_second() -> None:
    assert choose(now=MODIFIED + 0.9, Range=b"bytes=0-1", If_Range=SAME).status == 200
    assert choose(now=MODIFIED + 1.0, Range=b"bytes=0-1", If_Range=SAME).status == 206


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (TAG, 304),
        (b"W/" + TAG, 304),
        (b"*", 304),
        (b'"x", ' + TAG, 304),
        (b'"x",' + TAG + b',"y"', 304),
        (b'"a,b" , W/"c" ,' + TAG, 304),
        (b'"x"', 200),
        (b"abc-10", 200),
        (b'"x" ' + TAG, 200),  # no comma: not a list
        (b"", 200),
    ],
)
def test_if_none_match(value: bytes, status: int) -> None:
    assert choose(If_None_Match=value).status == status
    assert choose(b"HEAD", If_None_Match=value).status == status


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (SAME, 304),
        (LATER, 304),
        (EARLIER, 200),
        (b"garbage", 200),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", 304),
        (b"Sun Nov  6 08:49:37 1994", 304),
        (b"", 200),
        (b"Sun, 99 Nov 2030 08:49:37 GMT", 200),  # a day that no month has
        (b"Sun, 31 Jun 2030 08:49:37 GMT", 200),
        (b"Sun, 06 Nov 2030 24:00:00 GMT", 200),
        (b"Sun, 06 Nov 2030 08:61:37 GMT", 200),
        (b"Sunday, 32-Nov-30 08:49:37 GMT", 200),
        (b"Sun Nov 31 08:49:37 2030", 200),
        (b"Sun, 06 Nov " + b"9" * 30 + b" 08:49:37 GMT", 200),  # a year beyond all
    ],
)
def test_if_modified_since(value: bytes, status: int) -> None:
    assert choose(If_Modified_Since=value).status == status


def test_if_none_match_wins_over_if_modified_since() -> None:
    assert choose(If_None_Match=b'"x"', If_Modified_Since=LATER).status == 200


@pytest.mark.parametrize(
    ("value", "status"), [(TAG, 200), (b"*", 200), (b'"x", ' + TAG, 200), (b"W/" + TAG, 412), (b'"x"', 412), (b"junk", 412)]
)
def test_if_match(value: bytes, status: int) -> None:
    assert choose(If_Match=value).status == status


@pytest.mark.parametrize(("value", "status"), [(SAME, 200), (LATER, 200), (EARLIER, 412), (b"junk", 200)])
def test_if_unmodified_since(value: bytes, status: int) -> None:
    assert choose(If_Unmodified_Since=value).status == status


def test_if_match_wins_over_if_unmodified_since() -> None:
    assert choose(If_Match=TAG, If_Unmodified_Since=EARLIER).status == 200


def test_conditions_come_before_ranges() -> None:
    assert choose(If_None_Match=TAG, Range=b"bytes=500-").status == 304


@pytest.mark.parametrize(
    ("header", "value", "etag", "expected"),
    [
        (b"If-None-Match", b"*", None, None),
        (b"If-None-Match", b"*", TAG, 412),
        (b"If-None-Match", TAG, TAG, 412),
        (b"If-None-Match", b'"x"', TAG, None),
        (b"If-Match", b"*", None, 412),
        (b"If-Match", b"*", TAG, None),
        (b"If-Match", TAG, None, 412),
        (b"If-Modified-Since", LATER, TAG, None),  # only for GET and HEAD
        (b"If-Unmodified-Since", EARLIER, TAG, 412),
        (b"If-Unmodified-Since", EARLIER, None, None),
    ],
)
def test_preconditions_of_a_put(header: bytes, value: bytes, etag: bytes | None, expected: int | None) -> None:
    assert failed_precondition(b"PUT", {header: value}.get, etag, MODIFIED) == expected


@given(st.binary(max_size=60))
def test_any_date_is_survived(value: bytes) -> None:
    assert choose(If_Modified_Since=value, If_Range=value, Range=b"bytes=0-1").status in (200, 206, 304)


def test_etag_follows_time_and_size_and_nothing_else(tmp_path: os.PathLike[str]) -> None:
    first, second = os.path.join(tmp_path, "a"), os.path.join(tmp_path, "b")
    for path in (first, second):
        with open(path, "w") as file:
            file.write("x")
        os.utime(path, ns=(0, 255))
    assert etag_of(os.stat(first)) == etag_of(os.stat(second)) == b'"ff-1"'
    os.utime(second, ns=(0, 256))
    assert etag_of(os.stat(second)) == b'"100-1"'
