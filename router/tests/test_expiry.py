"""Many deadlines, one timer: told in order, in batches, and never before their time."""

import pytest
from portico.expiry import AT_ONCE, Expiring

from .support.reactor import HandReactor
from .support.wires import as_reactor


class Told:
    """Discards what has expired, and remembers it."""

    def __init__(self, reactor: HandReactor) -> None:
        self.expiring: Expiring[float] = Expiring(as_reactor(reactor), float, self.tell)
        self.told: list[int] = []

    def tell(self, descriptor: int, value: float) -> None:
        assert self.expiring.discard(descriptor)
        self.told.append(descriptor)


@pytest.fixture
def told(reactor: HandReactor) -> Told:
    return Told(reactor)


def test_each_at_its_time_with_one_timer(reactor: HandReactor, told: Told) -> None:
    for descriptor, due in ((7, 1.0), (3, 2.0), (5, 2.0), (4, 3.5)):
        told.expiring.put(descriptor, due)
        assert len(reactor.getDelayedCalls()) == 1
    reactor.advance(0.99)
    assert told.told == []
    reactor.advance(0.01)
    assert told.told == [7]
    reactor.advance(1)
    assert told.told == [7, 3, 5]
    assert len(told.expiring) == 1
    reactor.advance(1.5)
    assert told.told == [7, 3, 5, 4]
    assert reactor.getDelayedCalls() == []


def test_those_that_have_gone_are_not_told(reactor: HandReactor, told: Told) -> None:
    for descriptor in range(3):
        told.expiring.put(descriptor, 1.0 + descriptor)
    assert told.expiring.discard(0)
    assert not told.expiring.discard(0)
    assert told.expiring.first == (1, 2.0)
    reactor.advance(1)
    assert told.told == []
    reactor.advance(1)
    assert told.told == [1]
    assert told.expiring.discard(2)
    assert told.expiring.first is None
    assert reactor.getDelayedCalls() == []


def test_one_gets_another_value_and_keeps_its_place(reactor: HandReactor) -> None:
    expiring: Expiring[tuple[float, str]] = Expiring(as_reactor(reactor), lambda value: value[0], lambda *expired: None)
    expiring.put(1, (5.0, "a"))
    expiring.put(2, (6.0, "b"))
    assert expiring.would_take(1, 5.0)
    expiring.put(1, (5.0, "aa"))
    assert expiring.all() == [(1, (5.0, "aa")), (2, (6.0, "b"))]
    assert expiring.get(1) == (5.0, "aa")
    assert expiring.get(3) is None
    assert len(reactor.getDelayedCalls()) == 1


def test_one_that_is_out_of_order_is_not_taken(told: Told) -> None:
    assert told.expiring.would_take(1, 0.0)
    told.expiring.put(1, 5.0)
    assert not told.expiring.would_take(2, 4.9)
    assert told.expiring.would_take(2, 5.0)
    told.expiring.discard(1)
    assert told.expiring.would_take(2, 4.9)  # there is no other any more


def test_many_at_once_come_in_batches(reactor: HandReactor, told: Told) -> None:
    for descriptor in range(3 * AT_ONCE + 1):
        told.expiring.put(descriptor, 1.0)
    heard: list[int] = []
    for _ in range(3):
        reactor.callLater(1.0, lambda: heard.append(len(told.told)))
    reactor.advance(1)
    for _ in range(4):
        heard.append(len(told.told))
        reactor.advance(0)
    assert len(told.told) == 3 * AT_ONCE + 1
    assert heard[:3] == [AT_ONCE] * 3  # what was due at the same moment did not wait for all of them
    assert reactor.getDelayedCalls() == []


def test_one_that_fails_does_not_stop_the_others(reactor: HandReactor) -> None:
    told: list[int] = []

    def tell(descriptor: int, value: float) -> None:
        expiring.discard(descriptor)
        if descriptor == 1:
            raise RuntimeError("as planned")
        told.append(descriptor)

    expiring: Expiring[float] = Expiring(as_reactor(reactor), float, tell)
    for descriptor in range(3):
        expiring.put(descriptor, 1.0)
    with pytest.raises(RuntimeError, match="as planned"):
        reactor.advance(1)  # the reactor that runs for real logs it and goes on
    reactor.advance(0)
    assert told == [0, 2]


def test_a_sum_of_steps_is_late_by_less_than_it_may_be_early(reactor: HandReactor, told: Told) -> None:
    told.expiring.put(1, 1.0)
    for _ in range(10):
        reactor.advance(0.1)  # 0.9999999999999999 in all
    assert told.told in ([], [1])
    reactor.advance(0.0001)
    assert told.told == [1]
