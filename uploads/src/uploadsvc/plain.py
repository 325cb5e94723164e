"""Which PUTs are plain, so that they may go the quick way (`quick`). Pure, but for what is remembered.

A client's heads differ in the name and the length and are alike in all else, so it is remembered what the rest of a head came
to. That is not done with what somebody logs in with: it is not kept beyond its request.
"""

import re

import msgspec
from svckit.hosts import is_host
from svckit.paths import BadTarget, normalise
from svckit.remembered import Remembered
from svckit.web import MOST_FIELDS

from .digests import wants_sha256
from .intake import PREFIX, Place, find

__all__ = ["LONGEST_HEAD", "MOST_HEADS", "Asked", "read"]

LONGEST_HEAD = 4096
"""Bytes of a head that the quick way looks at; so what it remembers of heads stays within 1 MiB."""
MOST_HEADS = 256
"""Heads whose fields are remembered."""

# What is before the first Content-Length, spelt as clients do, and what is behind it. Each byte is looked at once.
_head = re.compile(
    rb"PUT (/[\x21-\x7e]*+) HTTP/1\.1\r\n"
    rb"((?:(?![Cc]ontent-[Ll]ength:)[^\r\n]++\r\n)*+)"
    rb"[Cc]ontent-[Ll]ength:[ \t]*+([0-9]{1,15})[ \t]*+\r\n((?:[^\r\n]++\r\n)*+)\r\n"
).match
_fields = re.compile(rb"(?:[!#$%%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n){0,%d}+" % (MOST_FIELDS - 1)).fullmatch
_special = re.compile(
    rb"^(host|connection|content-length|content-range|content-encoding|transfer-encoding|expect|upgrade|"
    rb"(?:content|repr|want-repr)-digest|if-[a-z-]+):[ \t]*([^\r]*)\r$",
    re.IGNORECASE | re.MULTILINE,
).findall
_plain = re.compile(rb"%s/([A-Za-z0-9_~-][A-Za-z0-9._~-]{0,254})" % PREFIX).fullmatch


class Asked(msgspec.Struct, frozen=True):
    """What a head asks for."""

    target: bytes
    """As it stands there."""
    name: str
    length: int
    end: int
    """Where the body begins."""
    hashes: bool = False
    """Whether the client asks for the SHA-256."""


def read(data: bytes) -> Asked | None:
    """The head that `data` begins with; None where it is not for the quick way."""
    found = _head(data, 0, LONGEST_HEAD)
    if found is None:
        return None
    target, before, length, behind = found.groups()
    hashes = _remembered[before + behind]
    if hashes is None or not (name := _name_of(target)):
        return None
    return Asked(target, name, int(length), found.end(), hashes)


def _judge(fields: bytes) -> bool | None:
    """Whether a head with these, and a length, asks for the SHA-256; None where it is special or malformed."""
    if _fields(fields) is None:
        return None
    hosts, wishes = [], []
    for name, value in _special(fields):
        match name.lower():
            case b"host":
                hosts.append(value.rstrip(b" \t"))
            case b"want-repr-digest":
                wishes.append(value)
            case b"connection" if value.strip().lower() == b"keep-alive":
                pass
            case _:
                return None
    if len(hosts) != 1 or not is_host(hosts[0]):
        return None
    return bool(wishes) and wants_sha256(lambda _: b", ".join(wishes))


_remembered = Remembered(_judge, MOST_HEADS)


def _name_of(target: bytes) -> str:
    """The file's, empty where the target is none's."""
    if plain := _plain(target):
        return plain[1].decode("ascii")
    try:
        place = find(normalise(target))
    except BadTarget:
        return ""
    return place.name if isinstance(place, Place) else ""
