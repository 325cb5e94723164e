"""What the header fields of tus say. Pure."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from svckit.conditional import Header
from svckit.paths import BadTarget, normalise

from ..refusals import Refusal

__all__ = [
    "ALGORITHMS",
    "BAD_VERSION",
    "EXTENSIONS",
    "FOLDER",
    "TYPE",
    "VERSION",
    "Checksum",
    "Creation",
    "id_of",
    "length_of",
    "number",
]

VERSION = b"1.0.0"
EXTENSIONS = b"creation,creation-with-upload,creation-defer-length,termination,checksum,expiration,concatenation"
TYPE = b"application/offset+octet-stream"
FOLDER = b"/uploads/.tus/"
"""Where uploads in the making are; no file can have a name that starts with a dot."""

ALGORITHMS: dict[bytes, Callable[[], Any]] = {
    b"sha1": partial(hashlib.sha1, usedforsecurity=False),
    b"sha256": hashlib.sha256,
    b"sha512": hashlib.sha512,
    b"md5": partial(hashlib.md5, usedforsecurity=False),
}
"""For Upload-Checksum; sha1 is the one that every server has to know."""

BAD_VERSION = Refusal(412, "This is tus 1.0.0: say so in Tus-Resumable.", ((b"Tus-Version", VERSION),))

_ID = re.compile(rb"[0-9a-f]{32}").fullmatch
_NUMBER = re.compile(rb"[0-9]{1,18}").fullmatch
_KEY = re.compile(rb"[!-+\--~]+").fullmatch  # visible ASCII without the comma


def id_of(path: bytes) -> str | None:
    """The upload that a path in normal form names; None where it can be none."""
    rest = path.removeprefix(FOLDER)
    return rest.decode("ascii") if path.startswith(FOLDER) and _ID(rest) else None


@dataclass(frozen=True, slots=True)
class Checksum:
    """Upload-Checksum: what the body of one request must come to."""

    algorithm: bytes
    digest: bytes

    @classmethod
    def read(cls, value: bytes | None) -> "Checksum | Refusal | None":
        if value is None:
            return None
        algorithm, _, text = value.strip().partition(b" ")
        if algorithm not in ALGORITHMS:
            return Refusal(400, "Upload-Checksum names no algorithm that is known here.")
        digest = _base64(text.strip())
        if digest is None or len(digest) != ALGORITHMS[algorithm]().digest_size:
            return Refusal(400, "Upload-Checksum is malformed.")
        return cls(algorithm, digest)


@dataclass(frozen=True, slots=True)
class Creation:
    """What a new upload is to be."""

    length: int | None
    """Bytes in all; None: it will be said later, or follows from the parts."""
    metadata: str
    """Upload-Metadata as it came."""
    filename: str | None
    partial: bool
    parts: tuple[str, ...] | None
    """The uploads that make it up, where it is the end of a concatenation."""

    @classmethod
    def read(cls, header: Header) -> "Creation | Refusal":
        metadata = header(b"Upload-Metadata") or b""
        values = _metadata(metadata)
        if values is None:
            return Refusal(400, "Upload-Metadata is malformed.")
        name = values.get(b"filename") or values.get(b"name")
        try:
            filename = None if name is None else name.decode("utf-8")
        except UnicodeDecodeError:
            return Refusal(400, "The file name in Upload-Metadata is not UTF-8.")
        concat = (header(b"Upload-Concat") or b"").strip()
        parts = _parts(concat)
        if isinstance(parts, Refusal):
            return parts
        length = None if parts is not None else length_of(header)
        if isinstance(length, Refusal):
            return length
        return cls(length, metadata.decode("ascii"), filename, concat == b"partial", parts)


def length_of(header: Header) -> "int | Refusal | None":
    """Upload-Length; None where Upload-Defer-Length puts it off."""
    length, deferred = header(b"Upload-Length"), header(b"Upload-Defer-Length")
    if deferred is not None:
        return None if deferred.strip() == b"1" and length is None else Refusal(400, "Upload-Defer-Length is 1, or left out.")
    if length is None:
        return Refusal(400, "Say Upload-Length, or Upload-Defer-Length: 1.")
    return number(length) if number(length) is not None else Refusal(400, "Upload-Length is no number of bytes.")


def number(value: bytes | None) -> int | None:
    """A count of bytes; None where it is none."""
    return int(value.strip()) if value is not None and _NUMBER(value.strip()) else None


def _metadata(value: bytes) -> dict[bytes, bytes] | None:
    """Pairs of a key and a value in base64, which may be missing; None where that is not what it is."""
    found: dict[bytes, bytes] = {}
    for pair in value.split(b",") if value.strip() else ():
        key, _, text = pair.strip().partition(b" ")
        decoded = _base64(text.strip())
        if not _KEY(key) or decoded is None or key in found:
            return None
        found[key] = decoded
    return found


def _parts(concat: bytes) -> "tuple[str, ...] | Refusal | None":
    if concat in (b"", b"partial"):
        return None
    kind, _, rest = concat.partition(b";")
    if kind != b"final" or not rest.strip():
        return Refusal(400, "Upload-Concat is partial, or final with the uploads that make it up.")
    found = [_part(target) for target in rest.split()]
    if None in found:
        return Refusal(400, "Upload-Concat names what is no upload of this service.")
    return tuple(part for part in found if part is not None)


def _part(target: bytes) -> str | None:
    try:
        return id_of(normalise(target))
    except BadTarget:
        return None


def _base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
