"""The checker without users of its own, in a Portal as any service has one."""

from pathlib import Path
from typing import Any

import pytest
from svckit.auth import AuthUnavailable, NotAllowed, PasswordCredentials, RemoteChecker, StaleNonce, TooManyTries, commands
from svckit.auth.digest import DigestCredentials, IDigestCredentials
from svckit.auth.limits import MAX_PASSWORD, MAX_USER
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

DIGEST = DigestCredentials(b"alice", b"portico", "SHA-256", b"GET", b"/x", b"nonce", 7, b"cnonce", b"0" * 64, b"::1")


class Service:
    """Stands for a client that is connected; remembers the questions."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    async def call(self, command: Any, **arguments: Any) -> Any:
        self.asked.append((command, arguments))
        # What AMP refuses to send would be a fault here.
        assert command.makeArguments(dict(arguments), None)
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"avatar": self.answer}


@implementer(IRealm)
class Names:
    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        return interfaces[0], avatarId, lambda: None


def log_in(service: Service, credentials: Any) -> Any:
    checker = RemoteChecker(Path("/nowhere"), None, client=service)  # type: ignore[arg-type]
    results: list[Any] = []
    Portal(Names(), [checker]).login(credentials, None, IRealm).addBoth(results.append)
    (result,) = results
    return result[1] if isinstance(result, tuple) else result.value


def test_it_is_a_checker_of_two_interfaces() -> None:
    checker = RemoteChecker(Path("/nowhere"), None)
    assert verifyObject(ICredentialsChecker, checker)
    assert checker.credentialInterfaces == (IUsernamePassword, IDigestCredentials)


def test_a_password_is_asked_about() -> None:
    service = Service(b"alice")
    assert log_in(service, UsernamePassword(b"alice", b"secret")) == b"alice"
    nothing = {"method": b"", "uri": b"", "client": b""}
    assert service.asked == [(commands.CheckPassword, {"user": b"alice", "password": b"secret", **nothing})]


def test_with_our_own_credentials_it_is_asked_what_they_are_for() -> None:
    service = Service(b"alice")
    asked = {"method": b"GET", "uri": b"/x", "client": b"192.0.2.1"}
    assert log_in(service, PasswordCredentials(b"alice", b"secret", **asked)) == b"alice"
    assert service.asked == [(commands.CheckPassword, {"user": b"alice", "password": b"secret", **asked})]


@pytest.mark.parametrize(("text", "seconds"), [("17", 17), ("1", 1), ("", 1), ("-5", 1), ("1e9", 1), ("9" * 50, 1)])
def test_how_long_to_wait(text: str, seconds: int) -> None:
    found = log_in(Service(commands.TooMany(text)), UsernamePassword(b"alice", b"secret"))
    assert isinstance(found, TooManyTries)
    assert found.seconds == seconds


def test_a_digest_is_asked_about_with_all_that_was_said() -> None:
    service = Service(b"alice")
    assert log_in(service, DIGEST) == b"alice"
    ((command, arguments),) = service.asked
    assert command is commands.CheckDigest
    user, algorithm = arguments.pop("user"), arguments.pop("algorithm").decode()
    assert DigestCredentials(username=user, algorithm=algorithm, **arguments) == DIGEST


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (commands.Denied(), UnauthorizedLogin),
        (commands.Stale(), StaleNonce),
        (commands.Busy(), AuthUnavailable),
        (commands.TooMany("3"), TooManyTries),
        (commands.Forbidden(), NotAllowed),
        (AuthUnavailable("away"), AuthUnavailable),
    ],
)
@pytest.mark.parametrize("credentials", [UsernamePassword(b"alice", b"secret"), DIGEST])
def test_what_is_not_a_user(answer: Exception, expected: type[Exception], credentials: Any) -> None:
    assert type(log_in(Service(answer), credentials)) is expected


def test_only_a_refusal_is_a_failed_login() -> None:
    """Whoever tells failed logins from faults, as twisted.web.guard and ftp do, tells these right."""
    for refusal in (StaleNonce, NotAllowed, TooManyTries):
        assert issubclass(refusal, LoginFailed)
    assert not issubclass(AuthUnavailable, LoginFailed)


def test_what_nobody_has_is_refused_without_asking() -> None:
    service = Service(b"alice")
    for user, password in ((b"u" * (MAX_USER + 1), b""), (b"u", b"p" * (MAX_PASSWORD + 1))):
        assert isinstance(log_in(service, UsernamePassword(user, password)), UnauthorizedLogin)
    assert service.asked == []
    assert log_in(service, UsernamePassword(b"u" * MAX_USER, b"p" * MAX_PASSWORD)) == b"alice"


def test_the_answer_is_a_deferred() -> None:
    checker = RemoteChecker(Path("/nowhere"), None, client=Service(b"a"))  # type: ignore[arg-type]
    assert isinstance(checker.requestAvatarId(DIGEST), Deferred)
