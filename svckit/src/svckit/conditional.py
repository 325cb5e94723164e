"""Which part of a file a request gets: preconditions and ranges, by RFC 9110 sections 13 and 14. Pure.

The order is that of section 13.2.2: If-Match or else If-Unmodified-Since, then If-None-Match or else If-Modified-Since, then
Range if If-Range allows it. A header that cannot be understood counts as absent, except that an If-Match that names no tag
of ours fails: who sends it wants to be sure. Several ranges in one request get as many parts, unless they are more than
`MOST_RANGES` or longer together than the file, which gets the whole file, as section 14.2 allows: overlapping ranges are an
old way to make a server send terabytes.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from twisted.web.http import stringToDatetime

__all__ = ["MOST_RANGES", "Header", "Portion", "etag_of", "failed_precondition", "select"]

Header = Callable[[bytes], bytes | None]
"""Looks up a request header by its name; None where it is absent."""

_TAG = re.compile(rb'\s*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|\Z)')
_NUMBER = re.compile(rb"\d+")
_UNIT = re.compile(rb"bytes[ \t]*=", re.IGNORECASE)
_RANGE = re.compile(rb"[ \t]*(?:(\d+)[ \t]*-[ \t]*(\d*)|-[ \t]*(\d+))[ \t]*\Z")
MOST_RANGES = 32
"""Ranges of one request that are looked at; more of them get the whole file."""
_MOST_DIGITS = 19
_BEYOND_ALL = 10**_MOST_DIGITS


@dataclass(frozen=True, slots=True)
class Portion:
    """The status to answer (200, 206, 304, 412 or 416) and the bytes of the file that go with it."""

    status: int
    start: int = 0
    count: int = 0
    parts: tuple[tuple[int, int], ...] = ()
    """Where several ranges are answered: (start, count) of each, in the order asked for; `start` and `count` are then 0."""


def etag_of(about: os.stat_result) -> bytes:
    """A strong entity tag, from time and size only, so that replicas with copies of one folder agree."""
    return b'"%x-%x"' % (about.st_mtime_ns, about.st_size)


def select(method: bytes, header: Header, etag: bytes, modified: int, size: int, now: float) -> Portion:
    """What a GET or HEAD gets of a file of `size` bytes, last modified at `modified` (whole seconds since the epoch)."""
    failed = failed_precondition(method, header, etag, modified)
    if failed is not None:
        return Portion(failed)
    wanted = header(b"Range")
    if method != b"GET" or wanted is None or not _if_range(header(b"If-Range"), etag, modified, now):
        return Portion(200, 0, size)
    return _range(wanted, size)


def failed_precondition(method: bytes, header: Header, etag: bytes | None, modified: int) -> int | None:
    """412 or 304 where a precondition of the request fails, None where all hold; `etag` is None when there is no file."""
    reads = method in (b"GET", b"HEAD")
    if_match = header(b"If-Match")
    if if_match is not None:
        if not _names(if_match, etag, weakly=False):
            return 412
    elif etag is not None and (since := _date(header(b"If-Unmodified-Since"))) is not None and modified > since:
        return 412
    if_none_match = header(b"If-None-Match")
    if if_none_match is not None:
        if _names(if_none_match, etag, weakly=True):
            return 304 if reads else 412
    elif reads and (since := _date(header(b"If-Modified-Since"))) is not None and modified <= since:
        return 304
    return None


def _names(tags: bytes, etag: bytes | None, weakly: bool) -> bool:
    """Whether a list of tags, or `*`, names `etag` (which is a strong one)."""
    if etag is None:
        return False
    if tags.strip() == b"*":
        return True
    at = 0
    while at < len(tags):
        found = _TAG.match(tags, at)
        if found is None:
            return False
        tag = found[1].removeprefix(b"W/") if weakly else found[1]
        if tag == etag:
            return True
        at = found.end()
    return False


def _date(value: bytes | None) -> int | None:
    """Seconds since the epoch; None for what is no date, and for one that no calendar has, as the 99th of November."""
    if value is None:
        return None
    try:
        seconds = int(stringToDatetime(value))
        moment = time.gmtime(seconds)
    except (ValueError, LookupError, OverflowError, OSError):
        return None
    day = _NUMBER.search(value)  # in all three formats of section 5.6.7 the first number is the day
    there = day is not None and int(day[0]) == moment.tm_mday and b"%02d:%02d:%02d" % moment[3:6] in value
    return seconds if there else None


def _if_range(value: bytes | None, etag: bytes, modified: int, now: float) -> bool:
    """Whether Range may be looked at. A date is a strong validator only once its second is over (section 8.8.2.2)."""
    if value is None:
        return True
    value = value.strip()
    if b'"' in value:
        return value == etag
    return _date(value) == modified and now - modified >= 1


def _range(value: bytes, size: int) -> Portion:
    whole = Portion(200, 0, size)
    unit = _UNIT.match(value)
    if unit is None:
        return whole
    wanted = [one for one in value[unit.end() :].split(b",", MOST_RANGES + 1) if one.strip(b" \t")]
    if not 1 <= len(wanted) <= MOST_RANGES:
        return whole
    parts: list[tuple[int, int]] = []
    for one in wanted:
        found = _RANGE.match(one)
        if found is None or (found[2] and _number(found[2]) < _number(found[1])):
            return whole  # malformed: section 14.1.1
        first, count = _bytes_of(found, size)
        if count < 0:
            return whole  # the suffix of an empty file: satisfiable, and yet no Content-Range could say it
        if count:
            parts.append((first, count))
    if not parts:
        return Portion(416)
    if len(parts) == 1:
        return Portion(206, *parts[0])
    return whole if sum(count for _, count in parts) > size else Portion(206, parts=tuple(parts))


def _bytes_of(found: re.Match[bytes], size: int) -> tuple[int, int]:
    """Where a range begins and how many bytes it has; 0 where the file has none of them."""
    if found[3] is not None:
        count = min(_number(found[3]), size)
        return size - count, -1 if size == 0 and _number(found[3]) else count
    first = _number(found[1])
    last = min(_number(found[2]), size - 1) if found[2] else size - 1
    return first, max(last - first + 1, 0)


def _number(digits: bytes) -> int:
    """The value of `digits`; more of them than any file size has are not worth converting."""
    digits = digits.lstrip(b"0") or b"0"
    return int(digits) if len(digits) <= _MOST_DIGITS else _BEYOND_ALL
