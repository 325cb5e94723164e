"""The Digest scheme (RFC 7616): its challenge, its arithmetic and a client's answer to it.

Pure: bytes in, values out. Who may log in is decided elsewhere. Only `qop=auth` and the algorithms MD5 and SHA-256 exist here:
an answer without qop (RFC 2069), a session algorithm or a hashed user name was never offered and is malformed.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from twisted.cred.credentials import IUsernameDigestHash, IUsernameHashedPassword
from zope.interface import Attribute, implementer

from .errors import Malformed
from .limits import MAX_CLIENT, MAX_CNONCE, MAX_METHOD, MAX_REALM, MAX_URI, MAX_USER
from .params import quote, read_params

__all__ = ["ALGORITHMS", "DigestCredentials", "IDigestCredentials", "challenge", "make_ha1", "read"]


def _md5(data: bytes) -> "hashlib._Hash":
    return hashlib.md5(data, usedforsecurity=False)  # so that it is there where MD5 is locked away


ALGORITHMS: dict[str, Callable[[bytes], "hashlib._Hash"]] = {"SHA-256": hashlib.sha256, "MD5": _md5}
"""In the order in which they are offered unless the auth service says otherwise: Chromium and curl take the first, requests
the last, and all of them are served."""

_HEX = re.compile(rb"[0-9a-f]+\Z").match
_NC = re.compile(rb"[0-9a-f]{8}\Z").match
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]").search
_EXTENDED = re.compile(rb"[Uu][Tt][Ff]-8'[A-Za-z0-9-]*'((?:[!#$&+.^_`|~0-9A-Za-z-]|%[0-9A-Fa-f]{2})*)\Z").match


def _hash(algorithm: str, *parts: bytes) -> bytes:
    return ALGORITHMS[algorithm](b":".join(parts)).hexdigest().encode("ascii")


def make_ha1(algorithm: str, user: bytes, realm: bytes, password: bytes) -> bytes:
    """H(A1) in lower-case hex (RFC 7616 section 3.4.2): all that has to be known of a password to check an answer."""
    return _hash(algorithm, user, realm, password)


def challenge(algorithm: str, realm: bytes, nonce: bytes, *, stale: bool = False) -> bytes:
    """The value of a WWW-Authenticate header (RFC 7616 section 3.3)."""
    text = b"Digest realm=%b, qop=%b, algorithm=%b, nonce=%b, charset=UTF-8" % (
        quote(realm),
        quote(b"auth"),
        algorithm.encode("ascii"),
        quote(nonce),
    )
    return text + b", stale=true" if stale else text


class IDigestCredentials(IUsernameHashedPassword, IUsernameDigestHash):
    """A client's answer to a Digest challenge: what a checker needs to find the right H(A1), and to see that it is new."""

    realm = Attribute("bytes: the realm of the challenge")
    algorithm = Attribute("str: one of ALGORITHMS")
    method = Attribute("bytes: of the request itself")
    uri = Attribute("bytes: of the request itself")
    nonce = Attribute("bytes: of the challenge")
    nc = Attribute("int: how many requests the client has sent with this nonce, from 1")


@implementer(IDigestCredentials)
@dataclass(frozen=True, slots=True)
class DigestCredentials:
    """An answer that is well-formed and belongs to its request; whether it is right, `checkHash` says."""

    username: bytes
    realm: bytes
    algorithm: str
    method: bytes
    uri: bytes
    nonce: bytes
    nc: int
    cnonce: bytes
    response: bytes = field(repr=False)
    client: bytes = b""
    """The client's IP address, empty where there is none; not part of the answer."""

    def __post_init__(self) -> None:
        """Raises: Malformed: a value that no answer has; also for what comes over the wire."""
        if self.algorithm not in ALGORITHMS:
            raise Malformed("algorithm: not one that was offered")
        if len(self.response) != 2 * ALGORITHMS[self.algorithm](b"").digest_size or not _HEX(self.response):
            raise Malformed("response: not a hash")
        if not 1 <= self.nc <= 0xFFFFFFFF:
            raise Malformed("nc: counts from 1 to ffffffff")
        for name, value, limit in (
            ("username", self.username, MAX_USER),
            ("realm", self.realm, MAX_REALM),
            ("method", self.method, MAX_METHOD),
            ("uri", self.uri, MAX_URI),
            ("cnonce", self.cnonce, MAX_CNONCE),
            ("client", self.client or b"-", MAX_CLIENT),
        ):
            if not 1 <= len(value) <= limit or _CONTROL(value):
                raise Malformed(f"{name}: empty, longer than {limit} bytes, or with a control character")

    def checkHash(self, digestHash: bytes) -> bool:
        """Whether the answer was made with `digestHash`, the H(A1) for this realm and algorithm; in constant time."""
        ha2 = _hash(self.algorithm, self.method, self.uri)
        expected = _hash(self.algorithm, digestHash, self.nonce, b"%08x" % self.nc, self.cnonce, b"auth", ha2)
        return hmac.compare_digest(expected, self.response)

    def checkPassword(self, password: bytes) -> bool:
        """Whether the answer was made with `password`: for checkers that know it, such as those in memory."""
        return self.checkHash(make_ha1(self.algorithm, self.username, self.realm, password))


def read(text: bytes, method: bytes, uri: bytes, realm: bytes, client: bytes = b"") -> DigestCredentials:
    """The answer in `Digest TEXT`, for a request of `method` and `uri` in `realm` from the address `client`.

    RFC 7616 section 3.4.6 has 400 for an answer with another request's uri; here it is refused like any other wrong answer,
    as the client can do nothing about either but ask again.

    Raises:
        Malformed: a parameter is missing, wrong, or not what the challenge offered; or it answers another request.
    """
    params = read_params(text)
    if params.get("userhash", b"false").lower() != b"false":
        raise Malformed("userhash: was not offered")
    if _param(params, "qop") != b"auth":
        raise Malformed("qop: not auth")
    if _param(params, "realm") != realm:
        raise Malformed("realm: not this one")
    if _param(params, "uri") != uri:
        raise Malformed("uri: not the request's")
    count = _param(params, "nc")
    if not _NC(count):
        raise Malformed("nc: not eight lower-case hex digits")
    return DigestCredentials(
        username=_user(params),
        realm=realm,
        algorithm=params.get("algorithm", b"MD5").decode("latin-1").upper(),
        method=method,
        uri=uri,
        nonce=_param(params, "nonce"),
        nc=int(count, 16),
        cnonce=_param(params, "cnonce"),
        response=_param(params, "response").lower(),
        client=client,
    )


def _param(params: dict[str, bytes], name: str) -> bytes:
    try:
        return params[name]
    except KeyError:
        raise Malformed(f"{name}: missing") from None


def _user(params: dict[str, bytes]) -> bytes:
    """The user's name, which stands under `username*` where it would not fit a quoted string (RFC 7616 section 3.4)."""
    if "username*" not in params:
        return _param(params, "username")
    if "username" in params:
        raise Malformed("username: stands there in both forms")
    extended = _EXTENDED(params["username*"])
    if extended is None:
        raise Malformed("username*: not as in RFC 8187")
    return unquote_to_bytes(extended[1])
