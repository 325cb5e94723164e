"""Rooms that span replicas, while their broker or a replica is away, forgets, or dies."""

import pytest
from twisted.internet.task import Clock
from websocketsvc.backplane import BrokerAway, Said
from websocketsvc.follower import BEGUN_ANEW, LOST, RETRY
from websocketsvc.sharedhub import SWEEP

from .support.fixtures import StartHub
from .support.memory_broker import Memory
from .support.shared_rooms import Member


def test_the_broker_goes_and_comes_back(start: StartHub, memory: Memory, clock: Clock) -> None:
    one, two = start(), start()
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    ann.heard(), bob.heard()
    memory.go()
    ann.say("a")
    assert ann.heard() == ["unavailable a"]
    late = Member(two, "Eve", room="hall")
    assert isinstance(late.problem, BrokerAway)
    memory.come_back()
    ann.say("a")
    assert ann.heard() == [(1, "a"), "ack a 1"]
    assert bob.heard() == [(1, "a")]
    assert (ann.ended, bob.ended) == ([], [])


def test_who_comes_while_the_broker_is_away_is_told_so_and_the_others_stay(
    start: StartHub, memory: Memory, clock: Clock
) -> None:
    hub = start()
    ann = Member(hub, "Ann")
    memory.go()
    bob = Member(hub, "Bob")
    assert isinstance(bob.problem, BrokerAway)
    clock.advance(RETRY)
    memory.come_back()
    assert Member(hub, "Bob").seat is not None
    assert ann.heard() == [("joined", 0, 0, ["Ann"]), "Bob joined 2"]


def test_a_broker_that_came_back_without_its_memory_begins_the_room_anew(start: StartHub, memory: Memory) -> None:
    one, two = start(), start()
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    ann.say("a")
    memory.go()
    memory.rooms.clear()
    memory.come_back()
    assert ann.ended == bob.ended == [(1012, BEGUN_ANEW)]
    again = Member(one, "Ann", since=1, epoch=ann.all[0]["epoch"])
    assert again.heard() == [("joined", 0, 0, ["Ann"])]


@pytest.mark.parametrize("more", [0, 1, 2])
def test_a_broker_that_lost_the_last_messages_begins_the_room_anew(start: StartHub, memory: Memory, more: int) -> None:
    """As after a crash, or when a Redis replica takes over that had not yet got all."""
    one, two = start(), start()
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    for word in "abc":
        ann.say(word)
    memory.go()
    room = memory.rooms["lobby"]
    del room.said[1:]
    room.seq, room.turn = 1, 3
    for number in range(more):  # said by a replica that was back sooner
        room.seq += 1
        room.said.append(Said(room.seq, f"key {number}", b'{"name":"Eve","member":"e","data":"x"}'))
    epoch = room.epoch
    memory.come_back()
    assert room.epoch != epoch
    assert ann.ended == bob.ended == [(1012, BEGUN_ANEW)]
    again = Member(two, "Bob", since=3, epoch=epoch)
    assert again.heard()[1:] == [(1, "a"), *((2 + number, "x") for number in range(more))]


def test_a_replica_that_missed_more_than_is_kept_sends_its_members_back(start: StartHub, memory: Memory) -> None:
    one, two = start(history=2), start(history=2)
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    memory.brokers[0].listened.clear()
    for number in range(1, 6):
        bob.say(number)
    memory.brokers[0].back()
    assert (ann.ended, bob.ended) == ([(1012, LOST)], [])
    assert Member(one, "Ann", since=0, epoch=ann.all[0]["epoch"]).heard() == [("joined", 5, 3, ["Ann", "Bob"]), (4, 4), (5, 5)]


def test_presence_is_mended_when_the_broker_is_back(start: StartHub, memory: Memory) -> None:
    one, two = start(), start()
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    ann.heard(), bob.heard()
    memory.go()
    bob.leave()
    assert ann.heard() == []
    memory.come_back()
    assert ann.heard() == ["Bob left 1"]


def test_members_of_a_dead_replica_leave(start: StartHub, memory: Memory, clock: Clock) -> None:
    one, two = start(), start()
    ann, _ = Member(one, "Ann"), Member(two, "Bob")
    ann.heard()
    memory.die(memory.brokers[1])
    clock.advance(SWEEP)
    assert ann.heard() == ["Bob left 1"]


def test_a_replica_that_was_taken_for_dead_brings_its_members_back(start: StartHub, memory: Memory, clock: Clock) -> None:
    one, two = start(), start()
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    ann.heard(), bob.heard()
    seemingly_dead = memory.brokers[1]
    memory.die(seemingly_dead)
    one._sweep()
    memory.brokers.append(seemingly_dead)
    seemingly_dead.back()
    assert ann.heard() == ["Bob left 1", "Bob joined 2"]
    assert bob.heard() == [], "it was here all the time"
    bob.say("b")
    assert ann.heard() == [(1, "b")]
