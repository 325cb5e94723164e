"""Who a request comes from, or the answer that it gets instead: the same for resources, uploads and WebSocket upgrades.

401  no credentials, wrong ones, malformed ones; the challenges are those of the auth service, in its order
401  with stale=true: the password is right, the nonce is not good any more
403  the user is who they say, and the auth service's rules do not let them do this
429  with Retry-After: too many wrong logins by this user or from this address; nobody has looked at this one
503  with Retry-After: no auth service answers. Never open.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.cred.credentials import ICredentials
from twisted.cred.error import LoginFailed
from twisted.cred.portal import IRealm, Portal
from twisted.logger import Logger
from zope.interface import Interface, implementer

from . import basic, digest
from .checker import RemoteChecker
from .client import AuthClient
from .errors import AuthUnavailable, Malformed, NotAllowed, StaleNonce, TooManyTries
from .hearing import check_portal
from .limits import MAX_CLIENT
from .params import split_scheme
from .terms import Terms

__all__ = ["RETRY_AFTER", "Asked", "NoEntry", "Reception", "address_text", "receive"]

RETRY_AFTER = 2
"""Seconds after which a client may try again when no auth service answered."""

log = Logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the head of a request says that a login depends on."""

    method: bytes
    uri: bytes
    """The target, as on the request line."""
    authorization: Sequence[bytes] = field(repr=False)
    """The values of all Authorization fields."""
    client: bytes = b""
    """The client's IP address; empty where it has none."""


@dataclass(frozen=True, slots=True)
class NoEntry:
    """The answer to a request that is not let in."""

    status: int
    text: str
    """One line for a person."""
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Reception:
    """Lets in whoever may log in at a portal."""

    def __init__(self, portal: Portal, client: AuthClient, realm: bytes, now: Callable[[], float] = time.time) -> None:
        """`client` supplies the key for nonces; `now` is in seconds since 1970.

        Raises:
            DeafPortal: no checker of the portal lists what Basic, or Digest, brings.
        """
        check_portal(portal)
        self.portal, self.client = portal, client
        self._realm = realm
        self._now = now

    async def admit(self, asked: Asked, mind: Any, interface: type[Interface]) -> tuple[Any, Callable[[], None]] | NoEntry:
        """The portal's avatar and its logout, or what to answer; it takes `client.CALL_TIMEOUT` twice at most."""
        try:
            terms = await self.client.terms()
            found, stale = await self._log_in(asked, terms, mind, interface)
            return self._challenge(asked, terms, stale) if found is None else found
        except AuthUnavailable as error:
            log.warn("nobody can be logged in: {error}", error=str(error))
            return NoEntry(503, "No auth service answers", _retry_after(RETRY_AFTER))
        except TooManyTries as error:
            return NoEntry(429, "Too many wrong logins", _retry_after(error.seconds))
        except NotAllowed:
            return NoEntry(403, "Forbidden")

    async def user_of(self, asked: Asked) -> bytes | NoEntry:
        """The user's name, or what to answer; for a reception made by `receive`."""
        found = await self.admit(asked, None, _IName)
        if isinstance(found, NoEntry):
            return found
        name: bytes = found[0]
        return name

    def _challenge(self, asked: Asked, terms: Terms, stale: bool) -> NoEntry:
        challenges = terms.challenges(self._realm, self._now(), asked.client, stale=stale)
        return NoEntry(401, "Unauthorized", tuple((b"WWW-Authenticate", challenge) for challenge in challenges))

    async def _log_in(
        self, asked: Asked, terms: Terms, mind: Any, interface: type[Interface]
    ) -> tuple[tuple[Any, Callable[[], None]] | None, bool]:
        """What the portal gives, or None and whether it is only the nonce that is not good.

        Raises:
            AuthUnavailable, TooManyTries: nobody has looked at the credentials.
            NotAllowed: they are right, and not enough.
        """
        try:
            credentials = _credentials(asked, self._realm, terms.schemes)
            if credentials is None:
                return None, False
            _, avatar, logout = await self.portal.login(credentials, mind, interface)
        except Malformed as error:
            log.info("malformed Authorization header: {error}", error=str(error))
            return None, False
        except (TooManyTries, NotAllowed):
            raise
        except LoginFailed as error:
            return None, isinstance(error, StaleNonce)
        return (avatar, logout), False


def receive(folder: Path, reactor: Any, realm: str = "portico", *, service: str = "") -> Reception:
    """A reception that knows users by their names: `user_of`.

    `folder` is where the sockets of the auth service lie, `service` what it calls us in its log.
    """
    checker = RemoteChecker(folder, reactor, service=service)
    return Reception(Portal(_Names(), [checker]), checker.client, realm.encode("utf-8"))


def address_text(address: object) -> bytes:
    """The client's IP address of a Twisted address; empty where it has none."""
    host = getattr(address, "host", None) or ""
    return str(host).encode("ascii", "replace")[:MAX_CLIENT]


class _IName(Interface):
    """The user's name, as bytes."""


@implementer(IRealm)
class _Names:
    """A user is no more than a name here."""

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> tuple[Any, bytes, Callable[[], None]]:
        return _IName, avatarId, _no_logout


def _no_logout() -> None:
    """Nothing is kept for a user between requests."""


def _retry_after(seconds: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"Retry-After", b"%d" % seconds),)


def _credentials(asked: Asked, realm: bytes, schemes: Sequence[str]) -> ICredentials | None:
    """The credentials that a request brings; None if it brings none.

    Raises:
        Malformed: they cannot be read, there are two of them, or their scheme was not offered.
    """
    if not asked.authorization:
        return None
    if len(asked.authorization) > 1:
        raise Malformed("two Authorization headers")
    scheme, text = split_scheme(asked.authorization[0].strip(b" \t"))
    if scheme.decode("ascii") not in schemes:
        raise Malformed("a scheme that was not offered")
    if scheme == b"basic":
        return basic.read(text, asked.method, asked.uri, asked.client)
    return digest.read(text, asked.method, asked.uri, realm, asked.client)
