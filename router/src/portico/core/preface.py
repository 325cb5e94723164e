"""The preface: what a connection has said so far, and what is known of it besides. The one thing that matchers look at.

What is read out of the bytes (a request's head, its path, its header fields, a ClientHello) is read when the first matcher
asks, once, and kept for the others. The readers keep their places, so a preface that grows by single bytes costs no more
than one that comes whole.

A connection is asked about again for every new piece (`add`), and a last time when no more is to come (`final`): at the
deadline, at the client's end, and when the size limit is reached. A matcher that needs more then says no.
"""

import re
from collections.abc import Mapping
from typing import Literal

from svckit.hosts import HOST
from svckit.paths import BadTarget, normalise

from .answers import BAD_REQUEST, NOT_HTTP, Answer
from .clienthello import HelloReader, NotTls, TlsFacts
from .head import DEFAULT_FIELDS, Head, HeadReader
from .verdict import MORE, NO, YES, Verdict

__all__ = ["Address", "BadHost", "Preface"]

Address = tuple[str, int]
"""Numeric host and port."""

DEFAULT_LIMIT = 16_384
"""Bytes of the largest preface; the router's own limit is `limits.head_size`."""

_BEGINNING = (0, False)
_NOT_TLS = NotTls("not a handshake record")
_host_of = re.compile(HOST).fullmatch
_absolute = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*+://([^/?#]*+)").match
_begun = re.compile(rb"(?:\r\n)?+[A-Za-z_-]++ ").match
_no_request_line = re.compile(rb"(?:\r\n)?+(?![^\r\n]*? HTTP/[0-9])[^\r\n]*+[\r\n]").match


class BadHost(BadTarget):
    """The request does not say, in one sound way, which host it means; the answer is 400."""


class Preface:
    """The first bytes of a connection, and its circumstances."""

    __slots__ = (
        "_fields",
        "_head",
        "_head_reader",
        "_hello",
        "_hello_reader",
        "_host",
        "_limit",
        "_most_fields",
        "_path",
        "client",
        "data",
        "final",
        "returned",
        "silent",
    )

    def __init__(
        self,
        data: bytes = b"",
        client: Address = ("", 0),
        *,
        limit: int = DEFAULT_LIMIT,
        most_fields: int = DEFAULT_FIELDS,
        head: Head | None = None,
        tls: TlsFacts | None = None,
        returned: bool = False,
        place: tuple[int, bool] = (0, False),
    ) -> None:
        """
        Args:
            data: what has come so far.
            client: who is at the other end.
            limit: largest preface, in bytes; one that has reached it is asked about as final.
            most_fields: header fields that a request may have.
            head: the request's head, where it was read already.
            tls: what was agreed on, where TLS ended here; `data` is then what came inside of it.
            returned: a service has handed the connection back, so it speaks HTTP and is not at its beginning.
            place: how far a preface before it with the same data had been read.
        """
        self.data, self.client, self._limit, self.returned = data, client, limit, returned
        self._most_fields = most_fields
        self.final = False
        """No more is to come: the deadline is there, or the client's end."""
        self.silent = 0.0
        """Seconds since the connection's beginning in which nothing was sent; of no account when there is data."""
        self._head: Head | Answer | None = head
        self._hello: TlsFacts | NotTls | None = tls
        self._head_reader: HeadReader | None = None if place == _BEGINNING else HeadReader(limit, most_fields, place)
        self._hello_reader: HelloReader | None = None
        self._path: bytes | None = None
        self._host: bytes | Literal[False] | None = False
        self._fields: Mapping[bytes, list[bytes]] | None = None

    @property
    def limits(self) -> tuple[int, int]:
        """Its `limit` and `most_fields`."""
        return self._limit, self._most_fields

    @property
    def place(self) -> tuple[int, bool] | None:
        """How far it has been read, where this and the data are all that there is; None where more is known already."""
        hello = self._hello_reader is not None and self.data and not isinstance(self._hello, NotTls)
        if self.final or self._head is not None or isinstance(self._hello, TlsFacts) or hello or self.silent or self.returned:
            return None
        return _BEGINNING if self._head_reader is None else self._head_reader.place

    def add(self, piece: bytes) -> None:
        """More has come."""
        self.data += piece

    @property
    def more(self) -> Verdict:
        """What a matcher says that has not seen enough: "need more", or no where nothing more counts.

        When a request's head is there, or is known to be unsound, the connection speaks HTTP, and nothing that comes later
        changes that.
        """
        head = self._head
        if self.final or len(self.data) >= self._limit or (head is not None and self._is_http(head)):
            return NO
        return MORE

    # -- as a request

    @property
    def head(self) -> Head | Answer | None:
        """The request's head; an answer where it cannot become one; None where more is needed."""
        if self._head is None and self.data:
            if self._head_reader is None:
                self._head_reader = HeadReader(self._limit, self._most_fields)
            self._head = self._head_reader.read(self.data)
        return self._head

    @property
    def request(self) -> Head | Verdict:
        """The head, or what a matcher for requests says without one."""
        head = self.head
        return self.more if head is None else head if isinstance(head, Head) else NO

    @property
    def path(self) -> bytes:
        """The path of a request whose head is there, in its normal form.

        Raises:
            BadTarget: the target names no path.
        """
        if self._path is None:
            self._path = normalise(self._sound_head.target)
        return self._path

    @property
    def host(self) -> bytes | None:
        """The host that a request is for (RFC 9112 section 3.2): without port, in lower case, without a trailing dot.

        None where it names none.

        Raises:
            BadHost: it is malformed, stands there twice, or differs from that of an absolute target.
        """
        if self._host is False:
            named = [_plain_host(value) for value in self.fields(b"host")]
            absolute = _absolute(self._sound_head.target)
            if len(named) > 1:
                raise BadHost("more than one Host")
            if absolute is not None:
                named.append(_plain_host(absolute[1]))
                if named[0] != named[-1]:
                    raise BadHost("the target names another host than the Host field")
            self._host = named[0] if named else None
        return self._host

    def fields(self, name: bytes) -> list[bytes]:
        """The values of a header field, `name` in lower case, in the order in which they stand there."""
        if self._fields is None:
            found: dict[bytes, list[bytes]] = {}
            for line in self._sound_head.fields.split(b"\r\n")[:-1]:
                key, _, value = line.partition(b":")
                found.setdefault(key.lower(), []).append(value.strip(b" \t"))
            self._fields = found
        return self._fields.get(name, [])

    @property
    def _sound_head(self) -> Head:
        assert isinstance(self._head, Head), "there is no head yet"
        return self._head

    @property
    def http(self) -> Verdict:
        """Whether the client speaks HTTP, well or badly. On the final question: whether it has begun to."""
        head = self.head
        if head is None:
            more = self.more
            return more if more is MORE else YES if _begun(self.data) else NO
        return YES if self._is_http(head) else NO

    def _is_http(self, head: Head | Answer) -> bool:
        return not (head is NOT_HTTP or (head is BAD_REQUEST and _no_request_line(self.data)))

    # -- as TLS

    @property
    def tls(self) -> TlsFacts | Verdict:
        """What the client says of itself in TLS, or what a matcher for TLS says without it."""
        hello = self._hello
        if hello is None:
            hello = self._hello = self._read_hello()
        return self.more if hello is None else hello if isinstance(hello, TlsFacts) else NO

    @property
    def tls_ends_here(self) -> bool:
        """The router has terminated TLS, so what it knows of it holds for the whole connection."""
        return isinstance(self._hello, TlsFacts) and self._hello_reader is None

    def _read_hello(self) -> TlsFacts | NotTls | None:
        if not b"\x16".startswith(self.data[:1]):
            return _NOT_TLS  # nearly every connection that is not TLS, at the price of one comparison
        if self._hello_reader is None:
            self._hello_reader = HelloReader()
        try:
            return self._hello_reader.read(self.data)
        except NotTls as error:
            return error


def _plain_host(value: bytes) -> bytes:
    found = _host_of(value)
    if found is None:
        raise BadHost("not a host")
    return found[1].lower().removesuffix(b".")
