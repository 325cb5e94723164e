"""A protected resource in a whole HTTP server without sockets: who is let in, and who is not."""

import re
from pathlib import Path
from typing import Any

import pytest
from protect_support import KEY, Echo, Server, answer_to, basic, challenges
from svckit.auth import NotAllowed, Protected, RemoteChecker, StaleNonce, TooManyTries, protect
from svckit.auth.digest import make_ha1
from svckit.auth.nonce import open_nonce
from svckit.auth.protect import _OneResource
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from zope.interface.verify import verifyObject


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


def test_protect_asks_the_folder_that_it_was_given() -> None:
    protected = protect(Resource(), Path("/nowhere"), Clock())
    checkers = list(protected.reception.portal.checkers.values())
    assert all(isinstance(checker, RemoteChecker) for checker in checkers)
    assert isinstance(checkers[0], RemoteChecker)
    assert checkers[0].client is protected.client


def test_the_clients_own_arithmetic_agrees_with_ours() -> None:
    header = answer_to(b'nonce="n", algorithm=MD5')
    assert make_ha1("MD5", b"alice", b"portico", b"wonderland") not in header
