"""The Basic scheme (RFC 7617)."""

import base64
import binascii
import re

from twisted.cred.credentials import UsernamePassword

from .errors import Malformed
from .limits import MAX_PASSWORD, MAX_USER
from .params import quote

__all__ = ["challenge", "read"]

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]").search


def challenge(realm: bytes) -> bytes:
    """The value of a WWW-Authenticate header; asks for UTF-8 (RFC 7617 section 2.1)."""
    return b"Basic realm=" + quote(realm) + b', charset="UTF-8"'


def read(token: bytes) -> UsernamePassword:
    """The user and the password of `Basic TOKEN`.

    Raises:
        Malformed: not base64, no colon, a control character (RFC 7617 section 2), or too long.
    """
    try:
        pair = base64.b64decode(token.rstrip(b" \t"), validate=True)
    except binascii.Error:
        raise Malformed("not base64") from None
    user, colon, password = pair.partition(b":")  # the first one: a password may have more
    if not colon:
        raise Malformed("no colon between user and password")
    if not user or len(user) > MAX_USER or len(password) > MAX_PASSWORD:
        raise Malformed("user or password of a length that nobody has")
    if _CONTROL(pair):
        raise Malformed("a control character")
    return UsernamePassword(user, password)
