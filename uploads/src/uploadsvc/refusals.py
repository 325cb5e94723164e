"""What a client is told when its request is refused: values, each with the whole answer."""

import errno
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twisted.web.http import RESPONSES

if TYPE_CHECKING:
    from svckit.auth import NoEntry

__all__ = [
    "BAD_TARGET",
    "BAD_USER",
    "BUSY",
    "CODED",
    "DISK_FULL",
    "FAILED",
    "FAILED_PRECONDITION",
    "IN_THE_WAY",
    "LENGTH_REQUIRED",
    "LINGER",
    "LIST_METHODS",
    "NAME_METHODS",
    "NOT_FOUND",
    "NO_BODY",
    "PAGE_METHODS",
    "PARTIAL_PUT",
    "REASONS",
    "STORE_FULL",
    "TAKEN_OVER",
    "TOO_LARGE",
    "USER_FULL",
    "WRONG_DIGEST",
    "Refusal",
    "WrongDigest",
    "bad_name",
    "no_entry",
    "not_allowed",
    "of_error",
]


LINGER = 5.0
"""Seconds that a refused client may go on sending; absolute, as an idle time would be moved by every byte."""


class WrongDigest(Exception):
    """A body is not what its digest says."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Status, one sentence for people, headers beyond the usual."""

    status: int
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def body(self) -> bytes:
        return self.text.encode("utf-8") + b"\n"

    def all_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """With those that describe the body."""
        return (
            *self.headers,
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"X-Content-Type-Options", b"nosniff"),
            (b"Content-Length", b"%d" % len(self.body)),
        )

    def along_with(self, *headers: tuple[bytes, bytes]) -> "Refusal":
        """The same, with further headers."""
        return replace(self, headers=(*self.headers, *headers))

    def raw_and_closing(self) -> bytes:
        """The whole response, for a connection that ends with it."""
        head = [b"HTTP/1.1 %d %s" % (self.status, RESPONSES.get(self.status) or REASONS.get(self.status, b"Refused"))]
        head += [name + b": " + value for name, value in (*self.all_headers(), (b"Connection", b"close"))]
        return b"\r\n".join([*head, b"", self.body])


REASONS = {423: b"Locked", 460: b"Checksum Mismatch"}
"""Phrases that twisted.web does not know."""

LIST_METHODS = b"GET, HEAD, POST, OPTIONS"
PAGE_METHODS = b"GET, HEAD, OPTIONS"
NAME_METHODS = b"GET, HEAD, PUT, DELETE, OPTIONS"

BAD_TARGET = Refusal(400, "The request target names no path.")
BAD_USER = Refusal(403, "A user's name is UTF-8: nothing can be kept under yours.")
WRONG_DIGEST = Refusal(400, "The body is not what its digest says.")
NO_BODY = Refusal(400, "This request takes no body.")
PARTIAL_PUT = Refusal(400, "A file is put whole, without Content-Range.")
TAKEN_OVER = Refusal(
    423, "Another request goes on with this upload."
)  # clients try again after it: a late request of their own
# may have been the other
NOT_FOUND = Refusal(404, "There is no such file.")
IN_THE_WAY = Refusal(409, "Something that is no file has this name.")
LENGTH_REQUIRED = Refusal(411, "Say Content-Length, or send the body chunked.")
FAILED_PRECONDITION = Refusal(412, "A precondition of the request failed.")
TOO_LARGE = Refusal(413, "The file is larger than this service takes.")
CODED = Refusal(415, "A file is put as it is, without Content-Encoding.", ((b"Accept-Encoding", b"identity"),))
FAILED = Refusal(500, "The file could not be stored.")
BUSY = Refusal(503, "As many uploads as allowed are under way.", ((b"Retry-After", b"5"),))
NO_DESCRIPTORS = Refusal(503, "More is under way than there are descriptors for.", ((b"Retry-After", b"5"),))
DISK_FULL = Refusal(507, "There is no space left for the file.")
STORE_FULL = Refusal(507, "There is as much in the store as there may be.")
USER_FULL = Refusal(507, "You have as much in the store as you may.")

_BY_ERRNO = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EMFILE: NO_DESCRIPTORS,
    errno.ENFILE: NO_DESCRIPTORS,
    errno.EFBIG: TOO_LARGE,
    errno.EISDIR: IN_THE_WAY,
    errno.ENOTEMPTY: IN_THE_WAY,
    errno.EEXIST: FAILED_PRECONDITION,
    errno.ENAMETOOLONG: Refusal(400, "The name is too long for the file system."),
}


def bad_name(why: object) -> Refusal:
    """400, with the reason."""
    return Refusal(400, f"Not a name for an upload: {why}.")


def no_entry(found: "NoEntry") -> Refusal:
    """What the login of a writer has come to."""
    return Refusal(found.status, f"{found.text}.", found.headers)


def not_allowed(allowed: bytes) -> Refusal:
    """405, with what is allowed instead."""
    return Refusal(405, "This method is not for here.", ((b"Allow", allowed),))


def of_error(error: BaseException | None) -> Refusal:
    """What a failure is to the client; `FAILED` for those that are nobody's fault but ours."""
    if isinstance(error, WrongDigest):
        return WRONG_DIGEST
    if isinstance(found := getattr(error, "refusal", None), Refusal):
        return found
    return _BY_ERRNO.get(error.errno or 0, FAILED) if isinstance(error, OSError) else FAILED
