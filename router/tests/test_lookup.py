"""A name is asked for while its service is wanted, and rests otherwise."""

import pytest
from portico.arrival import Address
from portico.targets.lookup import RESOLVE_INTERVAL, WANTED_FOR, Lookup
from portico.targets.resolver import Found

from .support.reactor import HandReactor
from .support.wires import as_reactor

NAME = ("app", 80)
THERE = [("10.0.0.1", 80)]


class Names:
    """Stands for the resolver: answers when it is told to, or at once."""

    def __init__(self) -> None:
        self.waiting: list[Found] = []
        self.asked = 0
        self.addresses: list[Address] = THERE
        self.silent = False

    def find(self, name: Address, found: Found) -> None:
        assert name == NAME
        self.asked += 1
        self.waiting.append(found)
        if not self.silent:
            self.answer()

    def answer(self) -> None:
        found = self.waiting.pop(0)
        found(self.addresses, "" if self.addresses else "no such name")


class Rig:
    def __init__(self, reactor: HandReactor) -> None:
        self.reactor, self.names = reactor, Names()
        self.in_use = False
        self.found: list[list[Address]] = []
        self.lookup = Lookup(
            NAME,
            self.names,  # type: ignore[arg-type]
            as_reactor(reactor),
            lambda: self.in_use,
            lambda addresses, why: self.found.append(addresses),
        )

    def asked_in(self, seconds: float) -> int:
        before = self.names.asked
        self.reactor.pump([RESOLVE_INTERVAL / 2] * round(2 * seconds / RESOLVE_INTERVAL))
        return self.names.asked - before


@pytest.fixture
def rig(reactor: HandReactor) -> Rig:
    return Rig(reactor)


def test_nobody_wants_it(rig: Rig) -> None:
    assert rig.asked_in(600) == 0
    assert not rig.lookup.fresh


def test_the_first_connection_has_it_asked_for(rig: Rig) -> None:
    rig.names.silent = True
    assert not rig.lookup.want()
    assert not rig.lookup.want()
    assert rig.names.asked == 1
    assert rig.lookup.asking
    rig.names.answer()
    assert not rig.lookup.asking
    assert rig.found == [THERE]
    assert rig.lookup.want()
    assert rig.names.asked == 1


def test_an_answer_that_is_there_at_once_counts_at_once(rig: Rig) -> None:
    assert rig.lookup.want()


def test_again_and_again_while_it_is_wanted_and_then_no_more(rig: Rig) -> None:
    rig.lookup.want()
    assert rig.asked_in(WANTED_FOR) == WANTED_FOR / RESOLVE_INTERVAL - 1
    assert not rig.lookup.fresh
    assert rig.asked_in(600) == 0


def test_each_connection_keeps_it_wanted(rig: Rig) -> None:
    for _ in range(10):
        assert rig.lookup.want()
        assert rig.asked_in(WANTED_FOR - RESOLVE_INTERVAL) == WANTED_FOR / RESOLVE_INTERVAL - 1


def test_what_is_live_keeps_it_wanted(rig: Rig) -> None:
    rig.lookup.want()
    rig.in_use = True
    assert rig.asked_in(600) == 600 / RESOLVE_INTERVAL
    rig.in_use = False
    assert rig.asked_in(600) == 0


def test_after_a_rest_what_was_known_does_not_count(rig: Rig) -> None:
    rig.lookup.want()
    rig.asked_in(600)
    rig.names.silent = True
    assert not rig.lookup.want()
    rig.names.addresses = [("10.0.0.2", 80)]
    rig.names.answer()
    assert rig.found[-1] == [("10.0.0.2", 80)]
    assert rig.lookup.want()


def test_a_name_without_an_address_is_asked_for_only_while_somebody_waits(rig: Rig) -> None:
    rig.names.addresses = []
    rig.in_use = True  # a connection waits for it
    assert rig.lookup.want()
    assert rig.asked_in(10) == 10 / RESOLVE_INTERVAL
    rig.in_use = False
    assert rig.asked_in(600) == 0
    assert rig.lookup.want()  # another one
    assert rig.asked_in(RESOLVE_INTERVAL) == 0


def test_while_no_answer_comes_there_is_no_second_question(rig: Rig) -> None:
    rig.lookup.want()
    rig.in_use = rig.names.silent = True
    assert rig.asked_in(600) == 1
    assert rig.lookup.want()  # what is known counts on
    rig.names.answer()
    assert rig.asked_in(RESOLVE_INTERVAL) == 1


def test_stopped_it_asks_no_more_by_itself(rig: Rig) -> None:
    rig.lookup.want()
    rig.lookup.stop()
    rig.in_use = True
    assert rig.asked_in(600) == 0
    assert rig.lookup.want()


def test_stopped_before_the_first_answer(rig: Rig) -> None:
    rig.names.silent = True
    rig.lookup.want()
    rig.lookup.stop()
    rig.names.answer()
    assert rig.lookup.want()
    assert rig.asked_in(600) == 0


def test_stopped_while_it_rests_the_next_connection_is_served(rig: Rig) -> None:
    rig.lookup.stop()
    assert rig.lookup.want()
    assert rig.found == [THERE]
    assert rig.asked_in(600) == 0
