"""A protected resource and what is wrong: headers that are none, auth services that do not answer, clients that leave."""

import re
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protect_support import Server, answer_to, basic, challenges
from svckit.auth import AuthUnavailable, NotAllowed, TooManyTries
from svckit.auth.reception import RETRY_AFTER
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.python.failure import Failure

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
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    try:
        status, answer = server.send(basic(b"alice:wonderland"))
    finally:
        globalLogPublisher.removeObserver(observer)
    assert status == 500
    assert b"alice at" not in answer
    assert any(event.get("log_failure") and event["log_failure"].check(RuntimeError) for event in events)


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
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    try:
        ends[end]()
    finally:
        globalLogPublisher.removeObserver(observer)
    assert transport.value() == b""
    assert any(event.get("log_failure") for event in events) == (end == "bug")
