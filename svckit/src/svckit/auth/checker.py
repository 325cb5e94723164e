"""The checker that has no users of its own: it asks the auth service.

Any `twisted.cred.portal.Portal` takes it as it is. It lists exactly the interfaces that it can check. A portal whose
checkers do not list what a credential provides refuses it without asking anybody, and without a word.
"""

from pathlib import Path
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from . import commands
from .client import AuthClient
from .digest import IDigestCredentials
from .errors import AuthUnavailable, NotAllowed, StaleNonce, TooManyTries
from .limits import MAX_PASSWORD, MAX_USER

__all__ = ["RemoteChecker"]


@implementer(ICredentialsChecker)
class RemoteChecker:
    """Checks `IUsernamePassword` and `IDigestCredentials` at an auth service whose socket lies in `folder`."""

    credentialInterfaces = (IUsernamePassword, IDigestCredentials)

    def __init__(self, folder: Path, reactor: Any, *, service: str = "", client: AuthClient | None = None) -> None:
        """`service` names us in the auth service's log; a `client` that is there already is shared."""
        self.client = AuthClient(folder, reactor, service=service) if client is None else client

    def requestAvatarId(self, credentials: Any) -> "Deferred[bytes | tuple[()]]":
        """The user's name.

        The Deferred fails with `UnauthorizedLogin`, with its subclass `StaleNonce` where the answer to a Digest challenge was
        right but came too late, with `NotAllowed` where the rules are against it, with `TooManyTries`, or with
        `AuthUnavailable`. What is asked for, and from where, is taken from our own kinds of credentials; others' have none, and
        then no rule is looked at.
        """
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: Any) -> bytes | tuple[()]:
        try:
            if IDigestCredentials.providedBy(credentials):
                answer = await self._ask_digest(credentials)
            else:
                answer = await self._ask_password(credentials)
        except commands.Denied:
            raise UnauthorizedLogin("the auth service refuses") from None
        except commands.Stale:
            raise StaleNonce("the nonce is no longer good") from None
        except commands.Forbidden:
            raise NotAllowed("the rules are against it") from None
        except commands.TooMany as error:
            raise TooManyTries(_seconds(error)) from None
        except commands.Busy:
            raise AuthUnavailable("the auth service is busy") from None
        avatar: bytes = answer["avatar"]
        return avatar

    async def _ask_password(self, credentials: Any) -> dict[str, Any]:
        user, password = credentials.username, credentials.password
        if len(user) > MAX_USER or len(password) > MAX_PASSWORD:
            raise commands.Denied
        asked = {name: getattr(credentials, name, b"") for name in ("method", "uri", "client")}
        return await self.client.call(commands.CheckPassword, user=user, password=password, **asked)

    async def _ask_digest(self, answer: Any) -> dict[str, Any]:
        return await self.client.call(
            commands.CheckDigest,
            user=answer.username,
            realm=answer.realm,
            algorithm=answer.algorithm.encode("ascii"),
            method=answer.method,
            uri=answer.uri,
            nonce=answer.nonce,
            nc=answer.nc,
            cnonce=answer.cnonce,
            response=answer.response,
            client=getattr(answer, "client", b""),
        )


def _seconds(error: Exception) -> int:
    text = str(error)
    return int(text) if text.isdecimal() and len(text) < 6 else 1
