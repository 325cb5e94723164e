"""Rooms come and go between replicas, over a folder that they share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from websocketsvc.roomhub import HOLD, MOVED, Hub, Rings
from websocketsvc.roomlog import NoMoreRooms, TakenElsewhere
from websocketsvc.roomoptions import RoomOptions
from websocketsvc.roomwords import Join


class Member:
    def __init__(self) -> None:
        self.ended: list[tuple[int, str]] = []

    def tell(self, text: bytes) -> None:
        pass

    def end(self, code: int, reason: str) -> None:
        self.ended.append((code, reason))


class Replicas:
    """Their bells ring at once, unless they are deaf."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock
        self.hubs: list[Hub] = []
        self.deaf = False
        self.rung = 0
        self.options: dict[str, Any] = {}

    def make_bell(self, folder: Path, replica: str, reactor: object, wanted: Callable[[str], None]) -> Rings:
        replicas = self

        class Bell:
            def start(self) -> None:
                pass

            def ring(self, room: str) -> None:
                replicas.rung += 1
                for hub in replicas.hubs if not replicas.deaf else []:
                    if hub.wanted != wanted:
                        hub.wanted(room)

            def stop(self) -> None:
                pass

        return Bell()

    def add(self) -> Hub:
        options = RoomOptions(**self.options)
        hub = Hub(self.folder, str(len(self.hubs)), options, self.clock, lambda: 0.0, self.make_bell)
        hub.start()
        self.hubs.append(hub)
        return hub


@pytest.fixture
def replicas(tmp_path: Path, clock: Clock) -> Replicas:
    return Replicas(tmp_path / "rooms", clock)


def want(hub: Hub, name: str = "lobby", stay: bool = False) -> list[Any]:
    """Where the room is put when it comes, or why it does not; `stay`: somebody joins it then."""
    found: list[Any] = []
    waiting = hub.room(name)
    if stay:
        waiting.addCallback(lambda room: room.join(Member(), Join(), None) and room)
    waiting.addBoth(found.append)
    return found


def join(hub: Hub, name: str = "lobby") -> tuple[Any, Member]:
    (room,) = want(hub, name)
    member = Member()
    room.join(member, Join(), None)
    return room, member


def test_a_room_is_made_once(replicas: Replicas) -> None:
    hub = replicas.add()
    room, _ = join(hub)
    assert want(hub) == [room]
    assert hub.owns(room)
    assert want(hub, "hall")[0] is not room


def test_it_moves_to_who_wants_it(replicas: Replicas, clock: Clock) -> None:
    one, two = replicas.add(), replicas.add()
    room, member = join(one)
    clock.advance(HOLD)
    found, also = want(two, stay=True), want(two)
    assert (found, member.ended) == ([], [(1012, MOVED)])
    assert not one.owns(room)
    clock.advance(0.05)
    assert found == also
    assert two.owns(found[0])
    assert replicas.rung == 1
    assert want(one) == []


def test_it_stays_for_a_moment_after_it_has_come(replicas: Replicas, clock: Clock) -> None:
    one, two = replicas.add(), replicas.add()
    _, member = join(one)
    found = want(two)
    clock.pump([0.05] * 9)
    assert (found, member.ended) == ([], [])
    clock.pump([0.05] * 3)
    assert (len(found), member.ended) == (1, [(1012, MOVED)])


def test_an_owner_that_does_not_hear_is_rung_again_and_given_up(replicas: Replicas, clock: Clock) -> None:
    replicas.options = {"take_time": 2.0}
    one, two = replicas.add(), replicas.add()
    _, member = join(one)
    replicas.deaf = True
    found = want(two)
    clock.pump([0.05] * 45)
    assert found[0].check(TakenElsewhere)
    assert (member.ended, replicas.rung) == ([], 4)
    replicas.deaf = False
    found = want(two, stay=True)
    clock.pump([0.05] * 2)
    assert two.owns(found[0])


def test_an_empty_room_is_nobodys(replicas: Replicas, clock: Clock) -> None:
    one, two = replicas.add(), replicas.add()
    room, member = join(one)
    room.leave(next(iter(room._members)), member)
    one.left(room)
    assert not one.owns(room)
    assert len(want(two)) == 1
    assert replicas.rung == 0


def test_who_wanted_it_has_gone_when_it_comes(replicas: Replicas, clock: Clock) -> None:
    one, two, three = replicas.add(), replicas.add(), replicas.add()
    join(one)
    clock.advance(HOLD)
    found = want(two)
    clock.advance(0.05)
    assert not two.owns(found[0]), "nobody has joined"
    assert len(want(three)) == 1


def test_a_replica_ends(replicas: Replicas, clock: Clock) -> None:
    one, two = replicas.add(), replicas.add()
    _, member = join(one)
    found = want(two, "lobby")
    one.stop()
    assert member.ended == [(1001, "going away")]
    clock.advance(0.05)
    assert len(found) == 1
    two.stop()
    assert clock.getDelayedCalls() == []


def test_not_more_rooms_than_so_many(replicas: Replicas) -> None:
    replicas.options = {"max_rooms": 1}
    hub = replicas.add()
    join(hub)
    assert want(hub, "hall")[0].check(NoMoreRooms)


def test_quiet_rooms_are_looked_for(replicas: Replicas, clock: Clock) -> None:
    replicas.folder.mkdir()
    hub = replicas.add()
    (replicas.folder / "old.room").touch()
    hub._now = lambda: 1e12
    clock.advance(600)
    assert list(replicas.folder.iterdir()) == []


def test_whatever_keeps_a_room_from_coming_is_told_and_tried_again(replicas: Replicas, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = replicas.add()

    def fail(*_: object) -> None:
        raise RecursionError

    with monkeypatch.context() as patch:
        patch.setattr("websocketsvc.roomhub.RoomLog", fail)
        for _ in range(2):
            (why,) = want(hub)
            assert why.check(RecursionError)
    (room,) = want(hub)
    assert room.name == "lobby"
