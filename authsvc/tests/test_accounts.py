"""Look-ups of users, which are good for a moment."""

from typing import Any

from authsvc.accounts import ACCOUNT_TIME, Accounts
from authsvc.store import Account
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

ALICE = Account("hash", frozenset({"staff"}))


class Bench:
    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.stored: dict[bytes, Account] = {b"alice": ALICE}
        self.looked_up: list[bytes] = []
        self.waiting: Deferred[Any] | None = None
        self.accounts = Accounts(self.look_up, self.clock, **options)

    async def look_up(self, name: bytes) -> Account | None:
        self.looked_up.append(name)
        if self.waiting is not None:
            await self.waiting
        return self.stored.get(name)

    def ask(self, name: bytes = b"alice") -> list[Any]:
        results: list[Any] = []
        Deferred.fromCoroutine(self.accounts.find(name)).addBoth(
            lambda result: results.append(getattr(result, "value", result))
        )
        return results


def test_a_look_up_is_good_for_a_moment_and_no_longer() -> None:
    bench = Bench()
    assert [bench.ask(), bench.ask()] == [[ALICE]] * 2
    del bench.stored[b"alice"]
    bench.clock.advance(ACCOUNT_TIME - 0.1)
    assert bench.ask() == [ALICE]
    bench.clock.advance(0.1)
    assert bench.ask() == [None]
    assert bench.looked_up == [b"alice"] * 2


def test_who_is_unknown_is_remembered_as_such() -> None:
    bench = Bench()
    assert [bench.ask(b"bob"), bench.ask(b"bob")] == [[None]] * 2
    assert bench.looked_up == [b"bob"]


def test_one_look_up_serves_all_who_ask_meanwhile() -> None:
    bench = Bench()
    bench.waiting = Deferred()
    answers = [bench.ask() for _ in range(100)]
    assert bench.looked_up == [b"alice"]
    bench.waiting.callback(None)
    assert answers == [[ALICE]] * 100


def test_a_fault_reaches_all_and_is_not_remembered() -> None:
    bench = Bench()
    bench.waiting = Deferred()
    answers = [bench.ask() for _ in range(2)]
    bench.waiting.errback(RuntimeError("gone"))
    assert [type(answer[0]) for answer in answers] == [RuntimeError] * 2
    bench.waiting = None
    assert bench.ask() == [ALICE]


def test_memory_is_limited_and_the_oldest_goes() -> None:
    bench = Bench(limit=2)
    for name in (b"1", b"2", b"3", b"3", b"2", b"1"):
        bench.ask(name)
    assert bench.looked_up == [b"1", b"2", b"3", b"1"]


def test_a_time_of_nothing_remembers_nothing() -> None:
    bench = Bench(time=0)
    assert [bench.ask(), bench.ask()] == [[ALICE]] * 2
    assert bench.looked_up == [b"alice"] * 2
