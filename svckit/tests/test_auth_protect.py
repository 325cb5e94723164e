"""A protected resource in a whole HTTP server without sockets."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from svckit.auth import AuthUnavailable, NotAllowed, Protected, RemoteChecker, StaleNonce, TooManyTries, protect
from svckit.auth.digest import ALGORITHMS, IDigestCredentials, make_ha1
from svckit.auth.nonce import NonceKey, open_nonce
from svckit.auth.protect import _OneResource
from svckit.auth.reception import RETRY_AFTER
from svckit.auth.terms import Terms
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site
from zope.interface import implementer
from zope.interface.verify import verifyObject

KEY = NonceKey(b"k" * 32)
PEER = IPv4Address("TCP", "192.0.2.1", 4711)


class Echo(Resource):
    """Says who asked for what; has any children."""

    def __init__(self, leaf: bool) -> None:
        super().__init__()
        self.isLeaf = leaf

    def getChild(self, path: bytes, request: Any) -> Resource:
        return self

    def render_GET(self, request: Any) -> bytes:
        return b"%s at %s, left %s" % (request.user, b"/".join(request.prepath), b"/".join(request.postpath))

    def render_POST(self, request: Any) -> bytes:
        return b"%s sent %d" % (request.user, len(request.content.read()))


class Client:
    """Stands for the connection to an auth service."""

    away = False

    algorithms: tuple[str, ...] = ("SHA-256", "MD5")

    async def terms(self) -> Terms:
        if self.away:
            raise AuthUnavailable("nobody there")
        return Terms(KEY, self.algorithms)


@implementer(ICredentialsChecker)
class Checker:
    """Knows alice, whose password is wonderland; `verdict` is raised instead."""

    credentialInterfaces = (IUsernamePassword, IDigestCredentials)
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
        raise UnauthorizedLogin


class Server:
    """`/private` is protected, at once or one level down."""

    def __init__(self, leaf: bool = True) -> None:
        self.client, self.checker = Client(), Checker()
        self.protected = Protected(
            Portal(_OneResource(Echo(leaf)), [self.checker]),
            self.client,  # type: ignore[arg-type]
            b"portico",
            lambda: 1000.0,
        )
        root = Resource()
        root.putChild(b"private", self.protected)
        self.site = Site(root, reactor=Clock())

    def connect(self) -> tuple[Any, StringTransport]:
        channel, transport = self.site.buildProtocol(PEER), StringTransport(peerAddress=PEER)
        channel.makeConnection(transport)
        return channel, transport

    def send(self, *headers: bytes, line: bytes = b"GET /private/x?q=1 HTTP/1.1", body: bytes = b"") -> tuple[int, bytes]:
        channel, transport = self.connect()
        channel.dataReceived(b"\r\n".join([line, b"Host: h", b"Content-Length: %d" % len(body), *headers, b"", b""]) + body)
        answer = transport.value()
        channel.connectionLost(Failure(ConnectionDone()))
        return int(answer.split(b" ", 2)[1]), answer


def basic(pair: bytes) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(pair)


def answer_to(
    challenge: bytes,
    *,
    uri: bytes = b"/private/x?q=1",
    method: bytes = b"GET",
    password: bytes = b"wonderland",
    user: bytes = b"alice",
) -> bytes:
    """What a client makes of a challenge; written by the RFC, not with the code under test."""
    nonce = re.search(rb'nonce="([^"]+)"', challenge)
    algorithm = re.search(rb"algorithm=([A-Za-z0-9-]+)", challenge)
    assert nonce is not None
    assert algorithm is not None
    name = algorithm[1].decode()

    def digest(text: bytes) -> bytes:
        return ALGORITHMS[name](text).hexdigest().encode()

    ha1 = digest(user + b":portico:" + password)
    response = digest(b":".join([ha1, nonce[1], b"00000001", b"cnonce", b"auth", digest(method + b":" + uri)]))
    return (
        b'Authorization: Digest username="%b", realm="portico", nonce="%b", uri="%b", cnonce="cnonce", nc=00000001, qop=auth, '
        b'response="%b", algorithm=%b' % (user, nonce[1], uri, response, algorithm[1])
    )


def challenges(answer: bytes) -> list[bytes]:
    return re.findall(rb"(?m)^WWW-Authenticate: (.*?)\r$", answer)


def test_it_is_a_resource() -> None:
    protected = protect(Resource(), Path("/nowhere"), None, "realm", service="static")
    assert verifyObject(IResource, protected)
    with pytest.raises(NotImplementedError):
        protected.putChild(b"x", Resource())


def test_without_credentials_there_are_three_challenges_in_order() -> None:
    status, answer = Server().send()
    assert status == 401
    first, second, third = challenges(answer)
    assert re.fullmatch(rb'Digest realm="portico", qop="auth", algorithm=SHA-256, nonce="[^"]{48}", charset=UTF-8', first)
    assert second == first.replace(b"SHA-256", b"MD5")
    assert third == b'Basic realm="portico", charset="UTF-8"'
    nonce = re.findall(rb'nonce="(.*?)"', first)[0]
    assert open_nonce(nonce, b"portico", [KEY]).minted == 1000.0
    assert answer.endswith(b"Unauthorized\n")


@pytest.mark.parametrize("leaf", [True, False])
@pytest.mark.parametrize("which", [0, 1])
def test_digest_lets_in(leaf: bool, which: int) -> None:
    server = Server(leaf)
    _, refused = server.send()
    status, answer = server.send(answer_to(challenges(refused)[which]))
    assert status == 200
    assert answer.endswith(b"alice at private, left x" if leaf else b"alice at private/x, left ")


@pytest.mark.parametrize("leaf", [True, False])
def test_basic_lets_in(leaf: bool) -> None:
    status, answer = Server(leaf).send(basic(b"alice:wonderland"))
    assert status == 200
    assert answer.endswith(b"alice at private, left x" if leaf else b"alice at private/x, left ")


def test_the_protected_resource_itself_and_what_is_deep_below() -> None:
    server = Server(leaf=False)
    for path, place in ((b"/private", b"private"), (b"/private/", b"private/"), (b"/private/a/b/c", b"private/a/b/c")):
        assert server.send(line=b"GET %b HTTP/1.1" % path)[0] == 401
        _, answer = server.send(basic(b"alice:wonderland"), line=b"GET %b HTTP/1.1" % path)
        assert answer.endswith(b"alice at %b, left " % place)


def test_whoever_walks_through_a_leaf_loses_no_segment() -> None:
    protected = Server().protected
    request = type("Request", (), {"prepath": [b"private", b"x"], "postpath": [b"y"]})()
    assert protected.getChildWithDefault(b"x", request) is protected
    assert (request.prepath, request.postpath) == ([b"private"], [b"x", b"y"])


def test_wrong_passwords_and_unknown_users_look_alike() -> None:
    server = Server()
    _, refused = server.send()
    for which in (0, 1):
        challenge = challenges(refused)[which]
        for header in (
            answer_to(challenge, password=b"nope"),
            answer_to(challenge, user=b"bob"),
            basic(b"alice:x"),
            basic(b"bob:x"),
        ):
            status, answer = server.send(header)
            assert status == 401
            assert b"stale" not in answer
            assert len(challenges(answer)) == 3
            assert b"alice" not in answer


def test_an_answer_is_for_its_own_uri_and_method() -> None:
    server = Server()
    _, refused = server.send()
    header = answer_to(challenges(refused)[0])
    assert server.send(header)[0] == 200
    for line in (
        b"GET /private/secret HTTP/1.1",
        b"GET /private/x HTTP/1.1",
        b"GET /private/x?q=2 HTTP/1.1",
        b"POST /private/x?q=1 HTTP/1.1",
    ):
        assert server.send(header, line=line)[0] == 401


def test_a_nonce_that_is_no_longer_good() -> None:
    server = Server()
    _, refused = server.send()
    server.checker.verdict = StaleNonce()
    status, answer = server.send(answer_to(challenges(refused)[0]))
    assert status == 401
    assert [b"stale=true" in challenge for challenge in challenges(answer)] == [True, True, False]


@pytest.mark.parametrize("which", ["digest", "basic"])
def test_too_many_tries_have_to_wait(which: str) -> None:
    server = Server()
    _, refused = server.send()
    server.checker.verdict = TooManyTries(17)
    header = answer_to(challenges(refused)[0]) if which == "digest" else basic(b"alice:wonderland")
    status, answer = server.send(header)
    assert status == 429
    assert b"\r\nRetry-After: 17\r\n" in answer
    assert challenges(answer) == []


@pytest.mark.parametrize("which", ["digest", "basic"])
def test_who_may_not_do_this_is_not_asked_for_another_password(which: str) -> None:
    server = Server()
    _, refused = server.send()
    server.checker.verdict = NotAllowed()
    header = answer_to(challenges(refused)[0]) if which == "digest" else basic(b"alice:wonderland")
    status, answer = server.send(header)
    assert status == 403
    assert challenges(answer) == []
    assert b"alice at" not in answer


@pytest.mark.parametrize("which", ["digest", "basic"])
def test_the_auth_service_is_told_what_is_asked_for_and_from_where(which: str) -> None:
    server = Server()
    _, refused = server.send()
    server.send(answer_to(challenges(refused)[0]) if which == "digest" else basic(b"alice:wonderland"))
    (asked,) = server.checker.asked
    assert (asked.method, asked.uri, asked.client) == (b"GET", b"/private/x?q=1", b"192.0.2.1")


def test_the_algorithms_are_offered_as_the_auth_service_says() -> None:
    server = Server()
    server.client.algorithms = ("MD5",)
    _, answer = server.send()
    assert [challenge.split(b" ")[0] for challenge in challenges(answer)] == [b"Digest", b"Basic"]
    assert b"algorithm=MD5" in challenges(answer)[0]


HOSTILE: list[tuple[bytes, ...]] = [
    (b"Authorization:",),
    (b"Authorization: Basic",),
    (b"Authorization: Basic !!!",),
    (b"Authorization: Basic YWxpY2U=",),
    (b"Authorization: Bearer abc",),
    (b"Authorization: Negotiate abc",),
    (b"Authorization: Digest",),
    (b"Authorization: Digest username",),
    (b'Authorization: Digest username="alice',),
    (b'Authorization: Digest username="alice", username="alice"',),
    (b"Authorization: \xff\xfe",),
    (b"Authorization: " + b"x" * 9000,),
    (basic(b"alice:wonderland"), basic(b"alice:wonderland")),
    (basic(b"alice:wonderland"), b"Authorization: Bearer x"),
    (basic(b"alice:wonderland") + b", " + basic(b"alice:wonderland")[15:],),
]


@pytest.mark.parametrize("headers", HOSTILE)
def test_malformed_headers_are_refused_with_a_challenge(headers: tuple[bytes, ...]) -> None:
    status, answer = Server().send(*headers)
    assert status == 401
    assert len(challenges(answer)) == 3


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=120).filter(lambda raw: not re.search(rb"[\r\n\x00]", raw)),
    st.sampled_from([b"", b"Basic ", b"Digest "]),
)
def test_no_header_is_a_fault_of_the_server(noise: bytes, scheme: bytes) -> None:
    assert Server().send(b"Authorization: " + scheme + noise)[0] in (400, 401)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4).filter(lambda raw: not re.search(rb"[\r\n\x00]", raw)))
def test_a_right_answer_with_noise_in_it_is_a_login_or_a_refusal(at: int, noise: bytes) -> None:
    server = Server()
    _, refused = server.send()
    header = answer_to(challenges(refused)[0])
    at = len(b"Authorization: ") + at % (len(header) - len(b"Authorization: "))
    assert server.send(header[:at] + noise + header[at:])[0] in (200, 400, 401)


def test_never_open_when_no_auth_service_answers() -> None:
    server = Server()
    server.client.away = True
    server.checker.verdict = AuthUnavailable("nobody there")
    for headers in ([], [basic(b"alice:wonderland")], [b"Authorization: Basic !!!"], [b"Authorization: Bearer x"]):
        status, answer = server.send(*headers)
        assert status == 503
        assert b"\r\nRetry-After: %d\r\n" % RETRY_AFTER in answer
        assert challenges(answer) == []


def test_a_refused_login_while_the_auth_service_goes_away_is_503() -> None:
    server = Server()
    server.client.away = True
    assert server.send(basic(b"alice:wrong"))[0] == 503


def test_a_checker_with_a_bug_is_a_500_and_not_open() -> None:
    server = Server()
    server.checker.verdict = RuntimeError("bug")
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        status, answer = server.send(basic(b"alice:wonderland"))
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert status == 500
    assert b"alice at" not in answer
    assert any(event.get("log_failure") and event["log_failure"].check(RuntimeError) for event in events)


def test_a_resource_that_refuses_logins_itself_is_not_asked_twice() -> None:
    """What the protected resource raises is its own affair: 500, and not one more challenge."""

    class Raises(Echo):
        def render_GET(self, request: Any) -> bytes:
            raise UnauthorizedLogin("mine")

    server = Server()
    server.protected = Protected(Portal(_OneResource(Raises(True)), [server.checker]), server.client, b"portico")  # type: ignore[arg-type]
    server.site.resource.putChild(b"private", server.protected)
    assert server.send(basic(b"alice:wonderland"))[0] == 500


def test_bodies_and_head() -> None:
    server = Server()
    assert server.send(line=b"POST /private/x HTTP/1.1", body=b"x" * 1000)[0] == 401
    _, answer = server.send(basic(b"alice:wonderland"), line=b"POST /private/x HTTP/1.1", body=b"x" * 1000)
    assert answer.endswith(b"alice sent 1000")
    status, answer = server.send(line=b"HEAD /private/x HTTP/1.1")
    assert (status, answer[-4:]) == (401, b"\r\n\r\n")


def test_a_kept_connection_logs_in_and_goes_on() -> None:
    server = Server()
    channel, transport = server.connect()
    request = b"GET /private/x?q=1 HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n"
    channel.dataReceived(request % b"X: y")
    first = transport.value()
    channel.dataReceived(request % answer_to(challenges(first)[0]) + request % basic(b"alice:wrong"))
    assert re.findall(rb"HTTP/1.1 (\d+) ", transport.value()) == [b"401", b"200", b"401"]
    channel.connectionLost(Failure(ConnectionDone()))


@pytest.mark.parametrize("end", ["in", "refused", "away", "bug", "too many", "forbidden"])
def test_a_client_that_leaves_while_it_is_being_asked_about(end: str) -> None:
    server = Server()
    server.checker.waiting = Deferred()
    channel, transport = server.connect()
    channel.dataReceived(b"GET /private/x HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n" % basic(b"alice:wonderland"))
    channel.connectionLost(Failure(ConnectionDone()))
    ends: dict[str, Callable[[], Any]] = {
        "in": lambda: server.checker.waiting.callback(b"alice"),  # type: ignore[union-attr]
        "refused": lambda: server.checker.waiting.errback(UnauthorizedLogin()),  # type: ignore[union-attr]
        "away": lambda: server.checker.waiting.errback(AuthUnavailable("away")),  # type: ignore[union-attr]
        "too many": lambda: server.checker.waiting.errback(TooManyTries(1)),  # type: ignore[union-attr]
        "forbidden": lambda: server.checker.waiting.errback(NotAllowed()),  # type: ignore[union-attr]
        "bug": lambda: server.checker.waiting.errback(RuntimeError("bug")),  # type: ignore[union-attr]
    }
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        ends[end]()
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert transport.value() == b""
    assert any(event.get("log_failure") for event in events) == (end == "bug")


def test_protect_asks_the_folder_that_it_was_given() -> None:
    protected = protect(Resource(), Path("/nowhere"), Clock())
    checkers = protected.reception.portal.checkers
    assert all(isinstance(checker, RemoteChecker) for checker in checkers.values())
    assert next(iter(checkers.values())).client is protected.client


def test_the_clients_own_arithmetic_agrees_with_ours() -> None:
    header = answer_to(b'nonce="n", algorithm=MD5')
    assert make_ha1("MD5", b"alice", b"portico", b"wonderland") not in header
