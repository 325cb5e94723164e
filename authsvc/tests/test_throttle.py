"""Guessing made slow, with a Clock."""

import pytest
from authsvc.throttle import DEBT_LIMIT, KNOWN_TIME, Pace, Throttle
from twisted.internet.task import Clock

from authsvc import throttle as module

BY_USER, BY_ADDRESS = Pace(3, 10.0), Pace(5, 2.0)
HERE, THERE = b"192.0.2.1", b"192.0.2.2"


class Bench:
    def __init__(self, user: Pace = BY_USER, address: Pace = BY_ADDRESS) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.throttle = Throttle(self.clock, user, address)

    def wrong(self, user: bytes = b"alice", address: bytes = HERE) -> float:
        wait = self.throttle.wait(user, address)
        if not wait:
            self.throttle.failed(user, address)
        return wait

    def right(self, user: bytes = b"alice", address: bytes = HERE) -> float:
        wait = self.throttle.wait(user, address)
        if not wait:
            self.throttle.succeeded(user, address)
        return wait


def test_a_user_has_some_tries_and_then_one_at_a_time() -> None:
    bench = Bench()
    assert [bench.wrong(address=b"192.0.2.%d" % number) for number in range(5)] == [0, 0, 0, 10, 10]
    bench.clock.advance(4)
    assert bench.wrong() == pytest.approx(6)
    bench.clock.advance(6)
    assert [bench.wrong(), bench.wrong()] == [0, 10]
    bench.clock.advance(1000)
    assert [bench.wrong() for _ in range(4)] == [0, 0, 0, 10]


def test_an_address_has_some_tries_and_then_one_at_a_time() -> None:
    bench = Bench()
    assert [bench.wrong(b"%d" % number) for number in range(7)] == [0] * 5 + [2, 2]
    assert bench.wrong(b"7", THERE) == 0
    bench.clock.advance(2)
    assert [bench.wrong(b"8"), bench.wrong(b"9")] == [0, 2]


def test_a_try_that_has_to_wait_does_not_count() -> None:
    bench = Bench()
    for _ in range(3):
        bench.wrong()
    for _ in range(1000):
        assert bench.wrong(address=THERE) == 10
    bench.clock.advance(10)
    assert bench.wrong(address=THERE) == 0


def test_right_logins_never_wait() -> None:
    bench = Bench()
    assert [bench.right() for _ in range(1000)] == [0] * 1000
    assert len(bench.throttle._levels) == 0


def test_wrong_ones_that_come_at_once_are_a_debt_with_a_limit() -> None:
    bench = Bench()
    for _ in range(5):
        bench.throttle.failed(b"alice", b"")
    assert bench.throttle.wait(b"alice", b"") == 30
    for _ in range(1000):
        bench.throttle.failed(b"alice", b"")
    assert bench.throttle.wait(b"alice", b"") == 10 * (DEBT_LIMIT + 1)


def test_a_guesser_elsewhere_locks_nobody_out() -> None:
    bench = Bench()
    assert bench.right() == 0
    for _ in range(100):
        bench.wrong(address=THERE)
    assert bench.wrong(address=THERE) > 0
    assert [bench.right() for _ in range(10)] == [0] * 10


def test_a_guesser_behind_the_same_address_locks_nobody_out_who_is_known_there() -> None:
    bench = Bench()
    assert bench.right() == 0
    for number in range(100):
        bench.wrong(b"user %d" % number)
    assert bench.right() == 0
    assert bench.right(b"bob") > 0


def test_who_is_known_is_counted_too() -> None:
    bench = Bench()
    assert bench.right() == 0
    assert [bench.wrong() for _ in range(4)] == [0, 0, 0, 10]
    bench.clock.advance(KNOWN_TIME)
    bench.wrong(b"bob", THERE)
    assert [bench.wrong() for _ in range(4)] == [0, 0, 0, 10]
    assert bench.wrong(address=THERE) == 10  # not known any more: counted together


def test_tries_share_a_lane_unless_their_user_is_known_there() -> None:
    bench = Bench()
    lane = bench.throttle.lane
    assert lane(b"alice", HERE) == lane(b"alice", THERE) == lane(b"alice", b"") != lane(b"bob", HERE)
    bench.right()
    assert lane(b"alice", HERE) not in (lane(b"alice", THERE), lane(b"bob", HERE))
    bench.right(address=THERE)
    assert lane(b"alice", HERE) != lane(b"alice", THERE)


def test_addresses_of_one_network_are_one_client() -> None:
    one = Pace(1, 60.0)
    for first, second, same in (
        (b"2001:db8::1", b"2001:db8::ffff:1", True),
        (b"2001:db8::1", b"2001:db8:0:1::1", False),
        (b"192.0.2.1", b"::ffff:192.0.2.1", True),
        (b"fe80::1%eth0", b"fe80::2%eth0", True),
        (b"", b"", False),
        (b"no address", b"no address", False),
        (b"\xff", b"\xff", False),
    ):
        bench = Bench(user=Pace(100, 1.0), address=one)
        assert bench.wrong(b"a", first) == 0
        assert (bench.wrong(b"b", second) > 0) is same, (first, second)


def test_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TABLE_LIMIT", 10)
    monkeypatch.setattr(module, "KNOWN_LIMIT", 10)
    bench = Bench(address=Pace(1000, 1.0))
    for number in range(100):
        bench.wrong(b"%d" % number)
        bench.right(b"known %d" % number)
    assert len(bench.throttle._levels) <= 10
    assert len(bench.throttle._known) == 10
    assert [bench.wrong(b"99") for _ in range(3)] == [0, 0, 10]


def test_no_name_and_no_address_lies_in_memory() -> None:
    bench = Bench()
    bench.wrong(b"alice-in-memory")
    bench.right(b"bob-in-memory", THERE)
    kept = repr((bench.throttle._levels, bench.throttle._known))
    assert "in-memory" not in kept
    assert repr(HERE) not in kept
