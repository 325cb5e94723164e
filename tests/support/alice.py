"""A credential checker for tests: it knows one user, and what it was asked."""

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

__all__ = ["KnowsAlice"]


@implementer(ICredentialsChecker)
class KnowsAlice:
    """Her password is wonderland. `verdict` is raised instead; `waiting` is the answer where there is none yet."""

    credentialInterfaces: Any = (IUsernamePassword,)
    verdict: Exception | None = None
    waiting: "Deferred[Any] | None" = None

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked.append(credentials)
        if self.waiting is not None:
            return self.waiting
        if self.verdict is not None:
            raise self.verdict
        if credentials.username == b"alice" and credentials.checkPassword(b"wonderland"):
            return succeed(b"alice")
        raise UnauthorizedLogin("not a user, or not the password")
