"""The auth wire: what a service asks the auth service, in AMP over a Unix socket.

A service greets first, and gets the key under which it mints nonces. Then it asks, one question per login, as many at once as
it likes. Answers come in any order. The side that is asked never trusts the shape of a value: what is too long or malformed is
`Denied`. A wire that changes so that the other side would misread it gets a new `VERSION`.
"""

from typing import Any, ClassVar

from twisted.protocols import amp

__all__ = [
    "VERSION",
    "Busy",
    "CheckDigest",
    "CheckPassword",
    "Denied",
    "Forbidden",
    "Hello",
    "Stale",
    "TooMany",
    "WrongVersion",
]

VERSION = 3


class Denied(Exception):
    """These credentials are not a user's. Why is in the auth service's log only."""


class Stale(Exception):
    """The answer is right, but its nonce is too old, of a key no longer known, or was used with this count before."""


class Busy(Exception):
    """Too many logins are waiting to be checked, or the store does not answer; nobody has looked at this one."""


class TooMany(Exception):
    """Too many wrong logins by this user or from this address; nobody has looked at this one. The text: seconds to wait."""


class Forbidden(Exception):
    """This is the user, and the rules do not let them do what they ask for."""


class WrongVersion(Exception):
    """The two sides do not speak the same version of this wire."""


class Hello(amp.Command):
    """The first command on each connection."""

    arguments: ClassVar[Any] = [(b"version", amp.Integer()), (b"service", amp.Unicode())]
    # what `svckit.auth.terms` makes challenges of; algorithms and schemes in the order in which they are offered: "A,B"
    response: ClassVar[Any] = [
        (b"key", amp.String()),
        (b"algorithms", amp.String()),
        (b"schemes", amp.String()),
        (b"bound", amp.Boolean()),
    ]
    errors: ClassVar[Any] = {WrongVersion: b"WRONG_VERSION"}


class CheckPassword(amp.Command):
    """A login with the password itself (HTTP Basic, FTP).

    `method` and `uri` are those of the request; where there is none (FTP) both are empty, and no rule is looked at. `client` is
    the client's IP address as text, empty where there is none.
    """

    arguments: ClassVar[Any] = [
        (b"user", amp.String()),
        (b"password", amp.String()),
        (b"method", amp.String()),
        (b"uri", amp.String()),
        (b"client", amp.String()),
    ]
    response: ClassVar[Any] = [(b"avatar", amp.String())]
    errors: ClassVar[Any] = {
        Denied: b"DENIED",
        Busy: b"BUSY",
        TooMany: b"TOO_MANY",
        Forbidden: b"FORBIDDEN",
    }


class CheckDigest(amp.Command):
    """A login by HTTP Digest; `method` and `uri` are those of the request itself, `client` as above."""

    arguments: ClassVar[Any] = [
        (b"user", amp.String()),
        (b"realm", amp.String()),
        (b"algorithm", amp.String()),
        (b"method", amp.String()),
        (b"uri", amp.String()),
        (b"nonce", amp.String()),
        (b"nc", amp.Integer()),
        (b"cnonce", amp.String()),
        (b"response", amp.String()),
        (b"client", amp.String()),
    ]
    response: ClassVar[Any] = [(b"avatar", amp.String())]
    errors: ClassVar[Any] = {
        Denied: b"DENIED",
        Stale: b"STALE",
        Busy: b"BUSY",
        TooMany: b"TOO_MANY",
        Forbidden: b"FORBIDDEN",
    }
