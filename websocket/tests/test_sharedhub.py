"""Rooms that span replicas, over a broker in memory."""

import json

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from websocketsvc.follower import HELD
from websocketsvc.roomlog import NoMoreRooms
from websocketsvc.seats import REPLACED, RoomFull

from .support.fixtures import StartHub
from .support.memory_broker import Memory
from .support.shared_rooms import Member


def test_members_of_two_replicas_hear_the_same(start: StartHub) -> None:
    one, two = start(), start()
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    assert ann.heard() == [("joined", 0, 0, ["Ann"]), "Bob joined 2"]
    assert bob.heard() == [("joined", 0, 0, ["Ann", "Bob"])]
    ann.say("a")
    bob.say("b")
    assert ann.heard() == [(1, "a"), "ack a 1", (2, "b")]
    assert bob.heard() == [(1, "a"), (2, "b"), "ack b 2"]
    bob.leave()
    assert ann.heard() == ["Bob left 1"]


def test_a_message_is_as_in_a_room_of_one_replica(start: StartHub) -> None:
    ann = Member(start(), "Ann")
    ann.say({"x": [1]}, "7")
    message = ann.all[1]
    assert message == {
        "type": "message", "seq": 1, "member": ann.all[0]["member"], "name": "Ann", "time": 1790000000.123, "data": {"x": [1]},
    }  # fmt: skip


def test_who_comes_back_to_another_replica_gets_what_it_missed(start: StartHub) -> None:
    one, two = start(history=3), start(history=3)
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    epoch = ann.all[0]["epoch"]
    ann.leave()
    for number in range(1, 3):
        bob.say(number)
    again = Member(two, "Ann", since=1, epoch=epoch)
    assert again.heard() == [("joined", 2, 0, ["Ann", "Bob"]), (2, 2)]
    again.leave()
    for number in range(3, 7):
        bob.say(number)
    assert Member(one, "Ann", since=1, epoch=epoch).heard() == [("joined", 6, 2, ["Ann", "Bob"]), (4, 4), (5, 5), (6, 6)]
    assert Member(one, "Eve").heard()[1:] == [(4, 4), (5, 5), (6, 6)]


def test_what_is_said_twice_is_kept_once_whatever_replica_it_is_said_to(start: StartHub) -> None:
    one, two = start(), start()
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    ann.say("a", "7")
    ann.leave()
    again = Member(two, "Ann", since=1, epoch=ann.all[0]["epoch"])
    again.say("a", "7")
    assert again.heard()[1:] == ["ack 7 1"]
    bob.say("b", "7")
    assert bob.heard()[-2:] == [(2, "b"), "ack 7 2"], "another's is not the same"


def test_nothing_is_acknowledged_before_it_was_heard(start: StartHub, memory: Memory) -> None:
    one = start()
    ann = Member(one, "Ann")
    ann.heard()
    memory.deaf = True
    ann.say("a")
    ann.say("b")
    assert ann.heard() == []
    memory.deaf = False
    ann.say("c")  # a step is missing: the room is opened anew
    assert ann.heard() == [(1, "a"), "ack a 1", (2, "b"), "ack b 2", (3, "c"), "ack c 3"]


def test_another_connection_of_the_same_client_takes_its_place_on_another_replica(start: StartHub) -> None:
    one, two = start(), start()
    ann, bob = Member(one, "Ann"), Member(one, "Bob")
    bob.heard()
    again = Member(two, "Ann")
    assert ann.ended == [(1008, REPLACED)]
    assert bob.heard() == [], "nobody came, nobody left"
    again.say("a")
    assert bob.heard() == [(1, "a")]


def test_a_full_room(start: StartHub) -> None:
    one, two = start(max_members=1), start(max_members=1)
    ann = Member(one, "Ann")
    assert isinstance(Member(two, "Bob").problem, RoomFull)
    ann.leave()
    assert Member(two, "Bob").seat is not None


def test_not_more_rooms_than_so_many(start: StartHub) -> None:
    hub = start(max_rooms=1)
    Member(hub, "Ann")
    assert isinstance(Member(hub, "Bob", room="hall").problem, NoMoreRooms)


def test_who_leaves_before_it_was_let_in(start: StartHub, memory: Memory) -> None:
    hub = start()
    memory.slow = True
    ann = Member(hub, "Ann")
    ann.coming.cancel()
    assert isinstance(ann.problem, CancelledError)
    memory.do_later()
    assert not memory.rooms["lobby"].members and not hub._followers
    bob = Member(hub, "Bob")
    memory.slow = True
    eve = Member(hub, "Eve")
    eve.coming.cancel()
    memory.do_later()
    (there,) = memory.rooms["lobby"].members.values()
    assert (eve.all, json.loads(there.facts)["name"]) == ([], "Bob")
    assert bob.heard()[0] == ("joined", 0, 0, ["Bob"])


def test_an_empty_room_is_not_followed(start: StartHub, memory: Memory) -> None:
    hub = start()
    ann, bob = Member(hub, "Ann"), Member(hub, "Bob")
    ann.leave()
    assert memory.brokers[0].listened == {"lobby"}
    bob.leave()
    assert (memory.brokers[0].listened, hub._followers) == (set(), {})


def test_steps_that_come_while_a_room_is_opened_are_not_lost(start: StartHub, memory: Memory) -> None:
    one, two = start(), start(rate=1e6, history=5000)
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    ann.heard()
    follower = one._followers["lobby"]
    memory.slow = True
    follower.open()
    opening, memory.later, memory.slow = memory.later, [], False
    for number in range(HELD + 5):
        bob.say(number)
    assert ann.heard() == []
    for each in opening:
        each()
    assert ann.heard() == [(number + 1, number) for number in range(HELD + 5)]


def test_a_replica_ends(start: StartHub, memory: Memory, clock: Clock) -> None:
    one, two = start(), start()
    ann, bob = Member(one, "Ann"), Member(two, "Bob")
    one.stop()
    assert (ann.ended, bob.ended) == ([(1001, "going away")], [])
    two.stop()
    assert clock.getDelayedCalls() == [] and memory.brokers == []
