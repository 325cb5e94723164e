"""Custody: whatever happens to a link, each connection is in exactly one place."""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from svckit.handoff.custody import Custody


def test_numbers_start_at_one_and_go_up() -> None:
    custody: Custody[str] = Custody()
    assert (custody.last_sent, custody.next_number, custody.oldest, len(custody)) == (0, 1, None, 0)
    assert [custody.sent("a"), custody.sent("b")] == [1, 2]
    assert (custody.last_sent, custody.next_number, custody.oldest, len(custody)) == (2, 3, "a", 2)


def test_taken_is_cumulative() -> None:
    custody: Custody[str] = Custody()
    for item in "abcd":
        custody.sent(item)
    assert custody.taken(3) == ["a", "b", "c"]
    assert (custody.oldest, len(custody)) == ("d", 1)
    assert custody.taken(3) == custody.taken(1) == custody.taken(0) == []
    assert custody.taken(4) == ["d"]


def test_taking_what_was_never_sent_is_an_error_and_changes_nothing() -> None:
    custody: Custody[str] = Custody()
    custody.sent("a")
    with pytest.raises(ValueError, match="up to 2, but only 1"):
        custody.taken(2)
    assert custody.reclaim() == ["a"]


def test_reclaim_gives_back_what_was_not_taken_in_order() -> None:
    custody: Custody[str] = Custody()
    for item in "abc":
        custody.sent(item)
    custody.taken(1)
    assert custody.reclaim() == ["b", "c"]
    assert custody.reclaim() == []
    assert len(custody) == 0


class Handover(RuleBasedStateMachine):
    """A sender, a receiver and the two queues between them, with every step of its own and death at any moment.

    The receiver follows the rule of the handoff: it says TAKEN first, and serves only when that was said. A sender that finds
    the link ended reads what was said on it before, and then has the rest. A receiver that finds it ended serves what it has
    in hand, as nobody else has it, unless the sender took it back: then the cell is set, and it lets go.
    """

    def __init__(self) -> None:
        super().__init__()
        self.custody: Custody[int] = Custody()
        self.items = 0
        self.there: deque[tuple[int, int]] = deque()  # on its way to the receiver
        self.back: deque[int] = deque()  # TAKENs on their way to the sender
        self.in_hand: list[tuple[int, int]] = []  # read by the receiver, TAKEN not said
        self.served: list[int] = []
        self.elsewhere: list[int] = []  # reclaimed by the sender, who sends it to another replica
        self.let_go: list[int] = []  # the sender's descriptors that it closed because they were taken
        self.sender_lives = self.receiver_lives = self.can_say = True
        self.revoked = False

    @precondition(lambda self: self.sender_lives and not self.revoked and self.receiver_lives)
    @rule()
    def send(self) -> None:
        self.items += 1
        self.there.append((self.custody.sent(self.items), self.items))

    @precondition(lambda self: self.receiver_lives and self.there)
    @rule(most=st.integers(1, 4))
    def receive(self, most: int) -> None:
        for _ in range(min(most, len(self.there))):
            self.in_hand.append(self.there.popleft())

    @precondition(lambda self: self.receiver_lives and self.in_hand)
    @rule()
    def take(self) -> None:
        if self.sender_lives and self.can_say:
            self.back.append(self.in_hand[-1][0])
        elif self.revoked:
            self.in_hand.clear()
            return
        self.served += [item for _, item in self.in_hand]
        self.in_hand.clear()

    @precondition(lambda self: self.sender_lives and self.back)
    @rule()
    def hear(self) -> None:
        self.let_go += self.custody.taken(self.back.popleft())

    @precondition(lambda self: self.sender_lives and not self.revoked and self.receiver_lives)
    @rule()
    def revoke(self) -> None:
        self.revoked, self.can_say = True, False
        self._reclaim()

    @precondition(lambda self: self.receiver_lives and self.sender_lives)
    @rule()
    def receiver_dies(self) -> None:
        self.receiver_lives = False
        self.in_hand.clear()
        self.there.clear()
        if not self.revoked:
            self._reclaim()

    @precondition(lambda self: self.sender_lives and self.receiver_lives)
    @rule()
    def sender_dies(self) -> None:
        self.sender_lives = False

    @rule()
    def count(self) -> None:
        """Also where nothing can happen any more."""
        assert len(self.custody) == len(self.custody._waiting)
        assert self.custody.last_sent == self.items

    def _reclaim(self) -> None:
        while self.back:  # first what was still said
            self.let_go += self.custody.taken(self.back.popleft())
        self.elsewhere += self.custody.reclaim()

    @invariant()
    def nothing_is_served_twice(self) -> None:
        everywhere = self.served + self.elsewhere
        assert len(everywhere) == len(set(everywhere))

    @invariant()
    def nothing_is_lost(self) -> None:
        if not self.receiver_lives:
            # what died with the receiver was served by it; everything else is with the sender
            assert set(self.served) | set(self.elsewhere) == set(range(1, self.items + 1))
        elif self.sender_lives and not self.revoked:
            kept = {item for _, item in self.custody._waiting}
            assert kept | set(self.let_go) == set(range(1, self.items + 1))
            assert set(self.let_go) <= set(self.served)
        elif not self.sender_lives and not self.revoked:
            queued = {item for _, item in self.there} | {item for _, item in self.in_hand}
            assert queued | set(self.served) == set(range(1, self.items + 1))
            assert not queued & set(self.served)
        else:
            assert set(self.served) | set(self.elsewhere) == set(range(1, self.items + 1))

    @invariant()
    def the_oldest_is_the_lowest(self) -> None:
        assert self.custody.oldest == min((item for _, item in self.custody._waiting), default=None)


TestHandover = Handover.TestCase
TestHandover.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
