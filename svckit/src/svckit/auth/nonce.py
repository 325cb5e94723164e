"""Nonces without memory: any replica can mint one, and any replica of the auth service can tell that it is genuine.

twisted.web and browsers want the challenge at once, so asking the auth service for each is out of the question. Instead the
auth service hands its key to each service that connects, and a nonce (RFC 7616 section 5.4) carries its own proof:

    nonce = base64url( key id, 4 bytes | milliseconds since 1970, 8 bytes | random, 8 bytes | HMAC, 16 bytes )

The HMAC covers the realm too. Where a nonce is to be good for one client's address only, nine bytes stand before it, which are
an HMAC over what stands before them and that address.

The key id is the start of the key's own hash. It lets keys change while nonces are under way:
the auth service knows its old keys for as long as it wants, and says `stale` to a nonce of a key it does not know.
"""

import base64
import binascii
import hashlib
import hmac
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from .errors import Malformed

__all__ = ["KEY_BYTES", "Nonce", "NonceKey", "open_nonce"]

KEY_BYTES = 32
NONCE_CHARACTERS = 48  # 36 bytes, so base64 needs no padding and each nonce has exactly one spelling
BOUND_CHARACTERS = 60  # 45 bytes: the same

_BODY = struct.Struct(">4sQ8s")
_MAC_BYTES, _HOME_BYTES = 16, 9


def _mac(secret: bytes, body: bytes, realm: bytes) -> bytes:
    kind = b"portico nonce 1\0" if len(body) == _BODY.size else b"portico bound nonce 1\0"
    return hmac.digest(secret, kind + body + realm, "sha256")[:_MAC_BYTES]


def _home(secret: bytes, body: bytes, client: bytes) -> bytes:
    return hmac.digest(secret, b"portico nonce client 1\0" + body + client, "sha256")[:_HOME_BYTES]


@dataclass(frozen=True, slots=True)
class NonceKey:
    """A secret of `KEY_BYTES` under which nonces are minted."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(b"portico nonce key\0" + self.secret).digest()[:4]

    def mint(self, realm: bytes, now: float, random: bytes | None = None, *, client: bytes | None = None) -> bytes:
        """A new nonce for `realm`; `now` in seconds since 1970. With `client`, an IP address as text, it is bound to that."""
        body = _BODY.pack(self.id, int(now * 1000), os.urandom(8) if random is None else random)
        if client is not None:
            body += _home(self.secret, body, client)
        return base64.urlsafe_b64encode(body + _mac(self.secret, body, realm))


@dataclass(frozen=True, slots=True)
class Nonce:
    """What a nonce says of itself."""

    minted: float
    """Seconds since 1970; only to be believed of a genuine one."""
    known: bool
    """Whether its key is among ours: if so, it is genuine."""
    at_home: bool = False
    """Whether it is bound to the address of the client that it came from."""


def open_nonce(nonce: bytes, realm: bytes, keys: Iterable[NonceKey], client: bytes = b"") -> Nonce:
    """Read a nonce that a client sent back, from the address `client`.

    Raises:
        Malformed: it is no nonce of anybody's, or a forged one: it names a key of ours that has not made it.
    """
    try:
        if len(nonce) not in (NONCE_CHARACTERS, BOUND_CHARACTERS):
            raise ValueError
        # b64decode takes the other alphabet's characters for noise and skips them, unless told to be strict.
        raw = base64.b64decode(nonce.translate(_TO_STANDARD), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("nonce: not one of ours") from None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    key_id, minted, _ = _BODY.unpack_from(body)
    for key in keys:
        if key.id == key_id:
            if not hmac.compare_digest(mac, _mac(key.secret, body, realm)):
                raise Malformed("nonce: forged")
            bare, home = body[: _BODY.size], body[_BODY.size :]
            at_home = bool(home) and hmac.compare_digest(home, _home(key.secret, bare, client))
            return Nonce(minted / 1000, known=True, at_home=at_home)
    return Nonce(minted / 1000, known=False)


# "+" and "/" are made invalid, so that they are not taken for "-" and "_".
_TO_STANDARD = bytes.maketrans(b"-_+/", b"+/!!")
