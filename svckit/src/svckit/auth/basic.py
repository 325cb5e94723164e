"""The Basic scheme (RFC 7617)."""

import base64
import re

from twisted.cred.credentials import UsernamePassword

from .errors import Malformed
from .limits import MAX_PASSWORD, MAX_USER
from .params import quote

__all__ = ["PasswordCredentials", "challenge", "read"]

_BASE64 = re.compile(rb"[0-9A-Za-z+/]+={0,2}\Z").match  # b64decode alone is lenient
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]").search


class PasswordCredentials(UsernamePassword):
    """A password, and what is asked for with it: the rules and the throttle of the auth service want to know."""

    def __init__(self, username: bytes, password: bytes, method: bytes = b"", uri: bytes = b"", client: bytes = b"") -> None:
        """`method` and `uri` are those of the request; `client` is the client's IP address, empty where there is none."""
        super().__init__(username, password)
        self.method = method
        self.uri = uri
        self.client = client


def challenge(realm: bytes) -> bytes:
    """The value of a WWW-Authenticate header; asks for UTF-8 (RFC 7617 section 2.1)."""
    return b"Basic realm=" + quote(realm) + b', charset="UTF-8"'


def read(token: bytes, method: bytes = b"", uri: bytes = b"", client: bytes = b"") -> PasswordCredentials:
    """The user and the password of `Basic TOKEN`, for a request of `method` and `uri` from the address `client`.

    Raises:
        Malformed: not base64, no colon, a control character (RFC 7617 section 2), or too long.
    """
    if len(token) % 4 or not _BASE64(token):
        raise Malformed("not base64")
    pair = base64.b64decode(token)
    user, colon, password = pair.partition(b":")  # the first one: a password may have more
    if not colon:
        raise Malformed("no colon between user and password")
    if not user or len(user) > MAX_USER or len(password) > MAX_PASSWORD:
        raise Malformed("user or password of a length that nobody has")
    if _CONTROL(pair):
        raise Malformed("a control character")
    return PasswordCredentials(user, password, method, uri, client)
