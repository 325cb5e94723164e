"""The one checker for every kind of login, in the terms of twisted.cred.

A portal hands a checker only credentials of an interface that it lists. A checker of passwords that lists `IUsernamePassword`
alone is never asked about a Digest login: that provides `IUsernameHashedPassword`, and the portal refuses it without a word. So
both are listed here. twisted.cred would have us call `checkPassword` with the password, which nobody has; every Digest
credential, Twisted's own too, provides `IUsernameDigestHash` as well, and is checked by the stored H(A1).
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from svckit.auth.digest import ALGORITHMS
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernameDigestHash, IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from .accounts import Accounts
from .passwords import PasswordChecks

__all__ = ["StoreChecker"]

log = Logger()


@implementer(ICredentialsChecker)
class StoreChecker:
    """Checks credentials of either kind against the store; the avatar id is the user's name as bytes."""

    credentialInterfaces = (IUsernamePassword, IUsernameHashedPassword, IUsernameDigestHash)

    def __init__(
        self,
        accounts: Accounts,
        ha1: Callable[[bytes, bytes, str], Awaitable[bytes | None]],
        passwords: PasswordChecks,
    ) -> None:
        """`ha1` finds a user's H(A1) by realm and algorithm."""
        self._accounts = accounts
        self._ha1 = ha1
        self._passwords = passwords
        self._decoy = os.urandom(32).hex().encode("ascii")

    def requestAvatarId(self, credentials: Any) -> "Deferred[bytes | tuple[()]]":
        """The user's name.

        The Deferred fails with `UnauthorizedLogin`, or, if too many logins are waiting, with `Busy` or `TooMany` of
        `svckit.auth.commands`.
        """
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Any) -> bytes | tuple[()]:
        if IUsernamePassword.providedBy(credentials):
            right = await self._check_password(credentials.username, credentials.password, getattr(credentials, "lane", b""))
        elif IUsernameDigestHash.providedBy(credentials):
            right = await self._check_hash(credentials)
        else:
            log.warn("{kind}: needs the password in the clear, which is not stored", kind=type(credentials).__name__)
            right = False
        if not right:
            raise UnauthorizedLogin("not a user, or not the password")
        user: bytes = credentials.username
        return user

    async def _check_password(self, user: bytes, password: bytes, lane: bytes) -> bool:
        try:
            account = await self._accounts.find(user)
            stored = account.password or None if account else None
            return await self._passwords.check(user, password, stored, lane)
        except ValueError:
            log.failure("a stored hash cannot be read")
            return False

    async def _check_hash(self, credentials: Any) -> bool:
        realm, algorithm = _realm_and_algorithm(credentials)
        if algorithm not in ALGORITHMS:
            return False
        ha1 = await self._ha1(credentials.username, realm, algorithm)
        right: bool = credentials.checkHash(self._decoy if ha1 is None else ha1)  # the same work for an unknown user
        return right and ha1 is not None


def _realm_and_algorithm(credentials: Any) -> tuple[bytes, str]:
    """What says which H(A1) is meant: ours name it, Twisted's keep the fields of the header (MD5 where it names none)."""
    algorithm = getattr(credentials, "algorithm", None)
    if algorithm is None:
        algorithm = credentials.fields.get("algorithm", b"MD5").decode("latin-1")
    return credentials.realm, algorithm.upper()
