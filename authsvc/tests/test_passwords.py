"""Checking passwords behind a queue, with a Clock, and threads that are only pretended."""

from typing import Any

import pytest
from authsvc.passwords import CACHE_TIME, QUEUE_LIMIT, USER_LIMIT
from svckit.auth.commands import Busy, TooMany

from authsvc import passwords

from .support.passwords import Bench


def test_right_and_wrong() -> None:
    bench = Bench()
    assert bench.check() is True
    assert bench.check(password=b"nope") is False
    assert bench.check(user=b"bob") is False


def test_nothing_is_verified_on_the_callers_thread() -> None:
    bench = Bench()
    answer = bench.checks.check(b"alice", b"wonderland", bench.stored[b"alice"])
    assert bench.verified == []
    assert not answer.called
    assert bench.checks.under_way == 1
    bench.run()
    assert answer.result is True
    assert bench.checks.under_way == 0


def test_an_unknown_user_costs_a_hash_too_and_never_gets_in() -> None:
    bench = Bench()
    bench.check(user=b"bob")
    ((decoy, password),) = bench.verified
    assert decoy.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert password == b"wonderland"
    bench.checks._verify = lambda stored, password: True  # even if somebody found the decoy's password
    assert bench.check(user=b"carol") is False


def test_guesses_at_one_user_leave_room_for_others() -> None:
    bench = Bench()
    found: list[Any] = []

    def ask(user: bytes, password: bytes, lane: bytes = b"") -> None:
        bench.checks.check(user, password, bench.stored.get(user), lane).addBoth(found.append)

    for user in (b"alice", b"nobody"):  # who exists cannot be told by it
        for number in range(USER_LIMIT):
            ask(user, b"%d" % number)
        with pytest.raises(TooMany, match="1"):
            ask(user, b"one more")
    ask(b"alice", b"0")  # is being checked already
    ask(b"alice", b"wonderland", b"from where she is known")
    ask(b"bob", b"builder")
    bench.run()
    assert found.count(True) == 1
    assert len(found) == 2 * USER_LIMIT + 3
    assert bench.check()
    assert not bench.checks._by_lane


def test_a_right_login_is_remembered_for_a_while() -> None:
    bench = Bench()
    for _ in range(5):
        assert bench.check()
    assert len(bench.verified) == 1
    bench.clock.advance(CACHE_TIME - 0.1)
    assert bench.check()
    assert len(bench.verified) == 1
    bench.clock.advance(0.1)
    assert bench.check()
    assert len(bench.verified) == 2


def test_a_wrong_login_is_not_remembered() -> None:
    bench = Bench()
    assert [bench.check(password=b"nope") for _ in range(3)] == [False] * 3
    assert [bench.check(user=b"bob") for _ in range(3)] == [False] * 3
    assert len(bench.verified) == 6


def test_what_is_remembered_ends_with_the_password_and_the_user() -> None:
    bench = Bench()
    assert bench.check()
    bench.stored[b"alice"] = "hash-of-another"
    assert bench.check() is False
    assert bench.check(password=b"another") is True
    del bench.stored[b"alice"]
    assert bench.check(password=b"another") is False


def test_what_is_remembered_is_of_no_use_to_a_reader() -> None:
    bench = Bench()
    bench.check()
    (tag,) = bench.checks._right
    assert len(tag) == 32
    assert tag == bench.checks._tag(b"alice", b"wonderland", "hash-of-wonderland")
    assert tag != Bench().checks._tag(b"alice", b"wonderland", "hash-of-wonderland")  # another process has another key


def test_user_and_password_are_told_apart() -> None:
    bench = Bench()
    tags = {bench.checks._tag(user, password, stored) for user, password, stored in (
        (b"ab", b"c", "d"), (b"a", b"bc", "d"), (b"abc", b"", "d"), (b"ab", b"c1:d", ""), (b"ab", b"c", None),
    )}  # fmt: skip
    assert len(tags) == 5


def test_memory_of_right_logins_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "CACHE_LIMIT", 3)
    bench = Bench()
    for number in range(5):
        bench.stored[b"%d" % number] = "hash-of-x"
        assert bench.check(b"%d" % number, b"x")
    assert len(bench.checks._right) == 3
    verified = len(bench.verified)
    assert bench.check(b"4", b"x")
    assert len(bench.verified) == verified
    assert bench.check(b"0", b"x")
    assert len(bench.verified) == verified + 1


def test_one_check_serves_all_who_ask_meanwhile() -> None:
    bench = Bench()
    answers = [bench.checks.check(b"alice", b"wonderland", bench.stored[b"alice"]) for _ in range(10)]
    wrong = [bench.checks.check(b"alice", b"nope", bench.stored[b"alice"]) for _ in range(10)]
    bench.run()
    assert [answer.result for answer in answers] == [True] * 10
    assert [answer.result for answer in wrong] == [False] * 10
    assert len(bench.verified) == 2


def test_a_full_queue_is_busy_and_empties_again() -> None:
    bench = Bench()
    lanes = [b"%d" % number for number in range(QUEUE_LIMIT)]
    answers = [bench.checks.check(b"alice", lane, bench.stored[b"alice"], lane) for lane in lanes]
    with pytest.raises(Busy):
        bench.checks.check(b"alice", b"one more", bench.stored[b"alice"], b"another")
    again = bench.checks.check(b"alice", b"0", bench.stored[b"alice"])  # waits for a check that is there already
    bench.run()
    assert [answer.result for answer in [*answers, again]] == [False] * (QUEUE_LIMIT + 1)
    assert bench.check()


def test_who_is_remembered_gets_in_past_a_full_queue() -> None:
    bench = Bench(queue_limit=1)
    assert bench.check()
    waiting = bench.checks.check(b"alice", b"nope", bench.stored[b"alice"])
    answer = bench.checks.check(b"alice", b"wonderland", bench.stored[b"alice"])
    assert answer.result is True
    bench.run()
    assert waiting.result is False


def test_a_fault_reaches_all_who_wait_and_blocks_nobody_later() -> None:
    bench = Bench()
    bench.stored[b"alice"] = "broken"
    answers = [bench.checks.check(b"alice", b"x", bench.stored[b"alice"]) for _ in range(2)]
    bench.run()
    faults: list[Any] = []
    for answer in answers:
        answer.addErrback(faults.append)
    assert [fault.type for fault in faults] == [ValueError, ValueError]
    assert bench.checks.under_way == 0
