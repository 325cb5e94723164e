"""The one checker, in portals of Twisted's own; and what happens to a checker that lists too little."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from authsvc.accounts import Accounts
from authsvc.checker import StoreChecker
from authsvc.hashing import Record, make_record
from authsvc.passwords import PasswordChecks
from authsvc.store import Account, Store
from svckit.auth import DigestCredentials
from svckit.auth.digest import make_ha1
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import CramMD5Credentials, DigestCredentialFactory, IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin, UnhandledCredentials
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.web.guard import HTTPAuthSessionWrapper
from twisted.web.resource import IResource, Resource
from twisted.web.test.requesthelper import DummyRequest
from zope.interface import implementer
from zope.interface.verify import verifyObject


@pytest.fixture(scope="module")
def alice() -> Record:
    return make_record(b"alice", b"wonderland", (b"portico",))


@pytest.fixture
def checker(tmp_path: Path, alice: Record) -> StoreChecker:
    store = Store(tmp_path)
    store.add(alice)
    store.add(Record(b"carol", "not a hash", {}))
    store.add(Record(b"dave", "", {(b"portico", "MD5"): make_ha1("MD5", b"dave", b"portico", b"wonderland")}))

    async def account(name: bytes) -> Account | None:
        return store.account(name)

    async def ha1(name: bytes, realm: bytes, algorithm: str) -> bytes | None:
        return store.ha1(name, realm, algorithm)

    return StoreChecker(Accounts(account, Clock()), ha1, PasswordChecks(maybeDeferred, Clock()))


@implementer(IRealm)
class Realm:
    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        leaf = Resource()
        leaf.isLeaf = True
        leaf.render_GET = lambda request: b"hello " + avatarId  # type: ignore[attr-defined]
        return IResource, leaf, lambda: None


def log_in(checker: Any, credentials: Any) -> Any:
    results: list[Any] = []
    checker.requestAvatarId(credentials).addBoth(results.append)
    (result,) = results
    return getattr(result, "value", result)


def digest(user: bytes = b"alice", password: bytes = b"wonderland", realm: bytes = b"portico", name: str = "SHA-256") -> Any:
    function = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}[name]
    ha2 = function(b"GET:/x").hexdigest().encode()
    response = function(make_ha1(name, user, realm, password) + b":n:00000001:c:auth:" + ha2).hexdigest().encode()
    return DigestCredentials(user, realm, name, b"GET", b"/x", b"n", 1, b"c", response)


def test_it_is_a_checker(checker: StoreChecker) -> None:
    assert verifyObject(ICredentialsChecker, checker)


@pytest.mark.parametrize("credentials", [UsernamePassword(b"alice", b"wonderland"), digest(), digest(name="MD5")])
def test_all_kinds_of_credentials_get_the_user_in(checker: StoreChecker, credentials: Any) -> None:
    assert log_in(checker, credentials) == b"alice"


@pytest.mark.parametrize(
    "credentials",
    [
        UsernamePassword(b"alice", b"nope"),
        UsernamePassword(b"alice", b""),
        UsernamePassword(b"bob", b"wonderland"),
        digest(password=b"nope"),
        digest(user=b"bob"),
        digest(realm=b"another"),
        digest(name="MD5", password=b"nope"),
    ],
)
def test_whoever_is_wrong_is_refused(checker: StoreChecker, credentials: Any) -> None:
    assert isinstance(log_in(checker, credentials), UnauthorizedLogin)


def test_an_unknown_users_answer_is_computed_all_the_same(checker: StoreChecker) -> None:
    asked: list[bytes] = []

    class Spy:
        username, realm, algorithm = b"bob", b"portico", "MD5"

        def checkHash(self, ha1: bytes) -> bool:
            asked.append(ha1)
            return True

    results: list[bool] = []
    Deferred.fromCoroutine(checker._check_hash(Spy())).addCallback(results.append)
    assert results == [False]
    assert len(asked[0]) == 64


def test_credentials_that_need_the_password_itself(checker: StoreChecker) -> None:
    """CRAM-MD5 provides IUsernameHashedPassword, and nobody here could tell it the password."""
    challenge = CramMD5Credentials()
    challenge.username = b"alice"
    assert isinstance(log_in(checker, challenge), UnauthorizedLogin)


def test_who_has_no_password_gets_in_by_digest_alone(checker: StoreChecker) -> None:
    assert log_in(checker, digest(user=b"dave", name="MD5")) == b"dave"
    assert isinstance(log_in(checker, digest(user=b"dave")), UnauthorizedLogin)
    for password in (b"wonderland", b""):
        assert isinstance(log_in(checker, UsernamePassword(b"dave", password)), UnauthorizedLogin)


def test_a_broken_hash_in_the_store_is_a_refusal(checker: StoreChecker) -> None:
    assert isinstance(log_in(checker, UsernamePassword(b"carol", b"x")), UnauthorizedLogin)


# -- behind twisted.web.guard, as in the article


@implementer(ICredentialsChecker)
class ArticlesChecker:
    """Lists IUsernamePassword alone."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked.append(credentials)
        return succeed(credentials.username)


def guarded(checker: Any, password: bytes = b"wonderland") -> DummyRequest:
    """A request with a right Digest answer, through Twisted's own wrapper."""
    factory = DigestCredentialFactory(b"md5", b"portico")
    wrapper = HTTPAuthSessionWrapper(Portal(Realm(), [checker]), [_ForWeb(factory)])
    challenge = factory.getChallenge(b"192.0.2.1")
    ha1 = make_ha1("MD5", b"alice", b"portico", password)
    ha2 = hashlib.md5(b"GET:/x").hexdigest().encode()
    response = hashlib.md5(b":".join([ha1, challenge["nonce"], b"00000001", b"c", b"auth", ha2])).hexdigest().encode()
    request = DummyRequest([b"x"])
    request.requestHeaders.setRawHeaders(
        b"Authorization",
        [
            b'Digest username="alice", realm="portico", nonce="%b", uri="/x", nc=00000001, cnonce="c", qop="auth", '
            b'response="%b", opaque="%b", algorithm="md5"' % (challenge["nonce"], response, challenge["opaque"])
        ],
    )
    resource: Any = wrapper
    request.prepath, request.postpath = [b"x"], []
    resource = resource.getChildWithDefault(b"x", request)
    request.render(resource)
    return request


class _ForWeb:
    """What twisted.web.guard's factory does, without a client's address."""

    scheme = b"digest"

    def __init__(self, factory: DigestCredentialFactory) -> None:
        self.factory = factory

    def getChallenge(self, request: Any) -> Any:
        return self.factory.getChallenge(b"192.0.2.1")

    def decode(self, response: bytes, request: Any) -> Any:
        return self.factory.decode(response, request.method, b"192.0.2.1")


def test_the_articles_failure() -> None:
    """The portal refuses a right Digest login without asking the checker, and without a word."""
    checker = ArticlesChecker()
    request = guarded(checker)
    assert request.responseCode == 401
    assert checker.asked == []
    failures: list[Any] = []
    factory = DigestCredentialFactory(b"md5", b"portico")
    challenge = factory.getChallenge(b"")
    text = b'username="alice", nonce="%b", opaque="%b"' % (challenge["nonce"], challenge["opaque"])
    credentials = factory.decode(text, b"GET", b"")
    Portal(Realm(), [checker]).login(credentials, None, IResource).addErrback(failures.append)
    assert failures[0].check(UnhandledCredentials)
    assert re.search("No checker for .*IUsernameHashedPassword", str(failures[0].value))


def test_and_its_mend(checker: StoreChecker) -> None:
    request = guarded(checker)
    assert b"".join(request.written) == b"hello alice"
    assert guarded(checker, b"nope").responseCode == 401
