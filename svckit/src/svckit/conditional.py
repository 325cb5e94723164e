"""Which part of a file a request gets: preconditions and ranges, by RFC 9110 sections 13 and 14. Pure.

The order is that of section 13.2.2: If-Match or else If-Unmodified-Since, then If-None-Match or else If-Modified-Since, then
Range if If-Range allows it. A header that cannot be understood counts as absent, except that an If-Match that names no tag
of ours fails: who sends it wants to be sure. Several ranges in one request get the whole file, as section 14.2 allows: the
overlapping ones are an old way to make a server send terabytes.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from twisted.web.http import stringToDatetime

__all__ = ["Header", "Portion", "etag_of", "failed_precondition", "select"]

Header = Callable[[bytes], bytes | None]
"""Looks up a request header by its name; None where it is absent."""

_TAG = re.compile(rb'\s*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|\Z)')
_RANGE = re.compile(rb"bytes\s*=\s*(?:(\d+)\s*-\s*(\d*)|-\s*(\d+))\s*\Z", re.IGNORECASE)
_MOST_DIGITS = 19
_BEYOND_ALL = 10**_MOST_DIGITS


@dataclass(frozen=True, slots=True)
class Portion:
    """The status to answer (200, 206, 304, 412 or 416) and the bytes of the file that go with it."""

    status: int
    start: int = 0
    count: int = 0


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
    if value is None:
        return None
    try:
        return int(stringToDatetime(value))
    except (ValueError, LookupError, OverflowError):
        return None


def _if_range(value: bytes | None, etag: bytes, modified: int, now: float) -> bool:
    """Whether Range may be looked at. A date is a strong validator only once its second is over (section 8.8.2.2)."""
    if value is None:
        return True
    value = value.strip()
    if b'"' in value:
        return value == etag
    return _date(value) == modified and now - modified >= 1


def _range(value: bytes, size: int) -> Portion:
    found = _RANGE.match(value.strip())
    if found is None:
        return Portion(200, 0, size)
    if found[3] is not None:
        return _suffix(_number(found[3]), size)
    first = _number(found[1])
    last = min(_number(found[2]), size - 1) if found[2] else size - 1
    if found[2] and _number(found[2]) < first:
        return Portion(200, 0, size)  # malformed: section 14.1.1
    if first >= size:
        return Portion(416)
    return Portion(206, first, last - first + 1)


def _suffix(length: int, size: int) -> Portion:
    if length == 0:
        return Portion(416)
    if size == 0:
        return Portion(200, 0, 0)  # satisfiable, and yet no Content-Range could say it
    count = min(length, size)
    return Portion(206, size - count, count)


def _number(digits: bytes) -> int:
    """The value of `digits`; more of them than any file size has are not worth converting."""
    digits = digits.lstrip(b"0") or b"0"
    return int(digits) if len(digits) <= _MOST_DIGITS else _BEYOND_ALL
