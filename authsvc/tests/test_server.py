"""The answering side of the auth wire, in memory: AMP boxes through a pump."""

from typing import Any

import pytest
from authsvc.server import AuthProtocol
from svckit.auth import commands
from svckit.auth.limits import MAX_CNONCE, MAX_PASSWORD, MAX_URI, MAX_USER, NONCE_LIFETIME
from svckit.auth.nonce import NonceKey
from twisted.internet.defer import Deferred
from twisted.protocols.amp import UnknownRemoteError

from .support.answering import KEY, NOTHING, Bench


def test_a_greeting_is_answered_with_the_key(bench: Bench) -> None:
    assert bench.call(commands.Hello, version=commands.VERSION, service="static") == {
        "key": KEY.secret,
        "algorithms": b"SHA-256,MD5",
        "schemes": b"digest,basic",
        "bound": False,
    }


def test_another_version_is_refused(bench: Bench) -> None:
    assert isinstance(bench.call(commands.Hello, version=commands.VERSION + 1, service="static"), commands.WrongVersion)


def test_passwords(bench: Bench) -> None:
    assert bench.call(commands.CheckPassword, user=b"alice", password=b"wonderland") == {"avatar": b"alice"}
    for user, password in ((b"alice", b"nope"), (b"bob", b"wonderland"), (b"", b"")):
        assert isinstance(bench.call(commands.CheckPassword, user=user, password=password), commands.Denied)


def test_digest(bench: Bench) -> None:
    assert bench.digest() == {"avatar": b"alice"}
    assert isinstance(bench.digest(password=b"nope"), commands.Denied)
    assert isinstance(bench.digest(user=b"bob"), commands.Denied)


def test_a_replayed_answer_is_refused(bench: Bench) -> None:
    nonce = KEY.mint(b"portico", bench.clock.seconds())
    assert bench.digest(nonce=nonce) == {"avatar": b"alice"}
    assert isinstance(bench.digest(nonce=nonce), commands.Stale)
    assert bench.digest(nonce=nonce, nc=2) == {"avatar": b"alice"}


def test_an_expired_nonce_is_stale_to_whoever_knows_the_password(bench: Bench) -> None:
    nonce = KEY.mint(b"portico", bench.clock.seconds())
    bench.clock.advance(NONCE_LIFETIME + 1)
    assert isinstance(bench.digest(nonce=nonce), commands.Stale)
    assert isinstance(bench.digest(nonce=nonce, password=b"nope"), commands.Denied)


def test_a_wrong_answer_uses_up_no_count(bench: Bench) -> None:
    nonce = KEY.mint(b"portico", bench.clock.seconds())
    assert isinstance(bench.digest(nonce=nonce, password=b"nope"), commands.Denied)
    assert bench.digest(nonce=nonce) == {"avatar": b"alice"}


def test_a_forged_nonce_and_one_of_an_unknown_key(bench: Bench) -> None:
    nonce = bytearray(KEY.mint(b"portico", bench.clock.seconds()))
    nonce[-1] ^= 1
    assert isinstance(bench.digest(nonce=bytes(nonce)), commands.Denied)
    assert isinstance(bench.digest(nonce=NonceKey(b"o" * 32).mint(b"portico", bench.clock.seconds())), commands.Stale)
    assert isinstance(bench.digest(nonce=KEY.mint(b"another", bench.clock.seconds())), commands.Denied)


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": b"/" + b"x" * MAX_URI},
        {"user": b"u" * (MAX_USER + 1)},
        {"cnonce": b"c" * (MAX_CNONCE + 1)},
        {"algorithm": b"SHA"},
        {"algorithm": b"\xff"},
        {"response": b""},
        {"nc": 0},
        {"nc": 1 << 32},
        {"nonce": b"n" * 65_535},
        {"method": b""},
    ],
)
def test_what_no_service_would_send_is_denied_cleanly(bench: Bench, changes: Any) -> None:
    assert isinstance(bench.digest(**changes), commands.Denied)
    assert bench.digest() == {"avatar": b"alice"}  # on the same connection


def test_oversized_passwords_are_denied_unhashed(bench: Bench) -> None:
    bench.checker.verdict = RuntimeError("was asked")
    for user, password in ((b"alice", b"p" * (MAX_PASSWORD + 1)), (b"alice", b"p" * 65_535), (b"u" * (MAX_USER + 1), b"")):
        assert isinstance(bench.call(commands.CheckPassword, user=user, password=password), commands.Denied)


def test_busy(bench: Bench) -> None:
    bench.checker.verdict = commands.Busy()
    assert isinstance(bench.call(commands.CheckPassword, user=b"alice", password=b"x"), commands.Busy)
    assert bench.decisions == ["alice by basic from ? for ?: busy"]


def test_a_fault_is_no_answer_and_no_login(bench: Bench) -> None:
    bench.checker.verdict = RuntimeError("bug")
    assert isinstance(bench.call(commands.CheckPassword, user=b"alice", password=b"x"), UnknownRemoteError)
    assert bench.decisions == ["alice by basic from ? for ?: failed"]


def test_too_many_wrong_logins_are_not_looked_at(bench: Bench) -> None:
    def ask(password: bytes = b"nope", client: bytes = b"192.0.2.1") -> Any:
        return bench.call(commands.CheckPassword, user=b"alice", password=password, client=client)

    assert [type(ask()) for _ in range(5)] == [commands.Denied] * 5
    bench.checker.verdict = RuntimeError("was asked")
    for answer in (ask(), ask(b"wonderland"), ask(client=b"192.0.2.2"), bench.digest(), bench.digest(password=b"nope")):
        assert isinstance(answer, commands.TooMany)
        assert str(answer) == "10"
    bench.checker.verdict = None
    bench.clock.advance(9.5)
    assert str(ask()) == "1"
    bench.clock.advance(0.5)
    assert ask(b"wonderland") == {"avatar": b"alice"}
    assert bench.decisions[5] == "alice by basic from 192.0.2.1 for ?: too many tries"


def test_a_check_is_told_which_others_it_shares_its_places_with(bench: Bench) -> None:
    seen: list[bytes] = []
    check = bench.checker.requestAvatarId

    def asked(credentials: Any) -> Any:
        seen.append(credentials.lane)
        return check(credentials)

    bench.checker.requestAvatarId = asked  # type: ignore[method-assign]
    for client in (b"192.0.2.1", b"192.0.2.2", b"192.0.2.1"):
        assert bench.call(commands.CheckPassword, user=b"alice", password=b"wonderland", client=client) == {"avatar": b"alice"}
    assert seen[0] == seen[1] != seen[2] == bench.throttle.lane(b"alice", b"192.0.2.1")


def test_too_many_checks_of_one_user_are_answered_as_too_many_tries(bench: Bench) -> None:
    bench.checker.verdict = commands.TooMany("1")
    answer = bench.call(commands.CheckPassword, user=b"alice", password=b"wonderland")
    assert isinstance(answer, commands.TooMany) and str(answer) == "1"
    assert bench.decisions[0].endswith(": too many tries")


def test_wrong_digests_and_malformed_ones_count_like_wrong_passwords(bench: Bench) -> None:
    for _ in range(2):
        assert isinstance(bench.digest(password=b"nope"), commands.Denied)
        assert isinstance(bench.digest(nonce=b"n"), commands.Denied)
    assert isinstance(bench.digest(algorithm=b"SHA"), commands.Denied)
    assert isinstance(bench.digest(), commands.TooMany)


@pytest.mark.parametrize("verdict", [commands.Busy(), None])
def test_what_is_not_a_wrong_login_does_not_count(bench: Bench, verdict: Exception | None) -> None:
    nonce = KEY.mint(b"portico", bench.clock.seconds())
    assert bench.digest(nonce=nonce) == {"avatar": b"alice"}
    bench.checker.verdict = verdict
    for _ in range(20):
        assert not isinstance(bench.digest(nonce=nonce), commands.TooMany)  # stale, where nothing else is wrong
    bench.checker.verdict = None
    assert bench.digest() == {"avatar": b"alice"}


def test_the_rules_have_the_last_word(bench: Bench) -> None:
    bench.forbidden.add((b"alice", b"GET", b"/x?token=secret"))
    asked = {"user": b"alice", "method": b"GET", "uri": b"/x?token=secret", "client": b"::1"}
    for _ in range(20):  # the login was right: it does not count as a wrong one
        answer = bench.call(commands.CheckPassword, password=b"wonderland", **asked)
        assert isinstance(answer, commands.Forbidden)
    assert isinstance(bench.digest(uri=b"/x?token=secret"), commands.Forbidden)
    assert bench.call(commands.CheckPassword, password=b"wonderland", **{**asked, "method": b"PUT"}) == {"avatar": b"alice"}
    assert bench.call(commands.CheckPassword, password=b"wonderland", user=b"alice") == {"avatar": b"alice"}
    assert isinstance(bench.call(commands.CheckPassword, password=b"nope", **asked), commands.Denied)
    assert bench.decisions[0] == "alice by basic from ::1 for ?: forbidden"
    assert {event["request"] for event in bench.log if "outcome" in event} == {"GET /x", "PUT /x", ""}
    assert "secret" not in repr([event for event in bench.log if "outcome" in event])


def test_calls_under_way_are_known(bench: Bench) -> None:
    idle: list[Any] = []
    bench.factory.idle().addCallback(idle.append)
    assert idle == [None]
    bench.checker.waiting = Deferred()
    results: list[Any] = []
    bench.client.callRemote(commands.CheckPassword, user=b"alice", password=b"x", **NOTHING).addBoth(results.append)
    bench.pump.flush()
    bench.factory.idle().addCallback(idle.append)
    assert (bench.factory.under_way, idle) == (1, [None])
    bench.checker.waiting.callback(b"alice")
    bench.pump.flush()
    assert (bench.factory.under_way, idle, results) == (0, [None, None], [{"avatar": b"alice"}])


def test_a_service_that_leaves_before_its_answer(bench: Bench) -> None:
    alone: list[Any] = []
    bench.factory.alone().addCallback(alone.append)
    assert alone == []
    bench.checker.waiting = Deferred()
    bench.client.callRemote(commands.CheckPassword, user=b"alice", password=b"x", **NOTHING).addErrback(lambda _: None)
    bench.pump.flush()
    assert bench.client.transport is not None
    bench.client.transport.loseConnection()
    bench.pump.flush()
    assert alone == [None]
    assert bench.factory.connections == set()
    bench.checker.waiting.callback(b"alice")
    assert bench.factory.under_way == 0


def test_the_protocol_knows_its_factory(bench: Bench) -> None:
    assert isinstance(bench.server, AuthProtocol)
    assert bench.factory.connections == {bench.server}
