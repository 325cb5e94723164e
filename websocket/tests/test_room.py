"""A room and its members."""

import json
from pathlib import Path
from typing import Any

import pytest
from websocketsvc.room import Room
from websocketsvc.roomlog import RoomLog
from websocketsvc.roomwords import Join, Publish
from websocketsvc.seats import REPLACED


class Member:
    def __init__(self) -> None:
        self.ended: list[tuple[int, str]] = []
        self._told: list[dict[str, Any]] = []

    def tell(self, text: bytes) -> None:
        self._told.append(json.loads(text))

    def end(self, code: int, reason: str) -> None:
        self.ended.append((code, reason))

    def heard(self) -> list[dict[str, Any]]:
        told, self._told = self._told, []
        return told

    def types(self) -> list[str]:
        return [word["type"] for word in self.heard()]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return opened(tmp_path)


def opened(folder: Path, history: int = 4) -> Room:
    return Room("lobby", RoomLog(folder / "lobby.room", history, 10_000, 9), lambda: 1790000000.1234, 3)


def enter(room: Room, **word: Any) -> tuple[str, Member]:
    member = Member()
    name = room.join(member, Join(**word), None)
    assert name is not None
    return name, member


def test_to_join(room: Room) -> None:
    ann, first = enter(room, name="Ann")
    (joined,) = first.heard()
    assert joined == {
        "type": "joined",
        "room": "lobby",
        "epoch": room.log.epoch,
        "member": ann,
        "seq": 0,
        "missed": 0,
        "count": 1,
        "members": [{"member": ann, "name": "Ann"}],
    }
    second = Member()
    bob = room.join(second, Join("Bob"), "bob@example.org")
    facts = {"member": bob, "name": "Bob", "user": "bob@example.org"}
    assert first.heard() == [{"type": "presence", "event": "joined", **facts, "count": 2}]
    assert second.heard()[0]["members"] == [{"member": ann, "name": "Ann"}, facts]
    assert bob is not None
    room.leave(bob, second)
    assert first.heard() == [{"type": "presence", "event": "left", **facts, "count": 1}]


def test_to_publish(room: Room) -> None:
    (ann, first), (_, second) = enter(room, name="Ann"), enter(room)
    first.heard(), second.heard()
    room.publish(ann, Publish("x", {"a": [1, None, "\u00e9"]}))
    message = {
        "type": "message", "seq": 1, "member": ann, "name": "Ann", "time": 1790000000.123, "data": {"a": [1, None, "\u00e9"]},
    }  # fmt: skip
    assert first.heard() == [message, {"type": "ack", "id": "x", "seq": 1}]
    assert second.heard() == [message]


def test_what_is_said_again_is_kept_once(room: Room, tmp_path: Path) -> None:
    ann, first = enter(room, client="secret-of-ann")
    room.publish(ann, Publish("x", 1))
    room.publish(ann, Publish("x", 1))
    assert [word for word in first.heard() if word["type"] == "ack"] == [{"type": "ack", "id": "x", "seq": 1}] * 2
    bob, second = enter(room, client="secret-of-bob")
    room.publish(bob, Publish("x", 2))  # another's x
    assert second.heard()[-1]["seq"] == 2
    room.close(1012, "moved")
    room = opened(tmp_path)
    ann, first = enter(room, client="secret-of-ann", since=2, epoch=room.log.epoch)
    assert first.types() == ["joined"]
    room.publish(ann, Publish("x", 1))
    assert first.heard() == [{"type": "ack", "id": "x", "seq": 1}]
    room.publish(ann, Publish("y", 1))
    assert first.heard()[-1] == {"type": "ack", "id": "y", "seq": 3}


def test_names_are_forgotten_with_their_messages(room: Room) -> None:
    ann, _ = enter(room, client="secret-of-ann")
    for number in range(50):
        room.publish(ann, Publish(str(number), number))
    assert len(room._seqs) == len(room.log.records) == 4


@pytest.mark.parametrize(
    ("since", "known", "seqs", "missed"),
    [(None, True, [3, 4, 5, 6], 0), (6, True, [], 0), (4, True, [5, 6], 0), (2, True, [3, 4, 5, 6], 0),
     (0, True, [3, 4, 5, 6], 2),
     (9, True, [], 0), (4, False, [3, 4, 5, 6], 0)],
)  # fmt: skip
def test_what_came_meanwhile(room: Room, since: int | None, known: bool, seqs: list[int], missed: int) -> None:
    ann, _ = enter(room)
    for number in range(6):
        room.publish(ann, Publish(str(number), number))
    _, member = enter(room, since=since, epoch=room.log.epoch if known else "other")
    joined, *messages = member.heard()
    assert (joined["type"], joined["seq"], joined["missed"]) == ("joined", 6, missed)
    assert [message["seq"] for message in messages] == seqs
    assert [message["data"] for message in messages] == [seq - 1 for seq in seqs]


def test_a_client_that_comes_twice_replaces_itself(room: Room) -> None:
    name, old = enter(room, client="secret-of-ann")
    _, other = enter(room)
    other.heard()
    again, new = enter(room, client="secret-of-ann")
    assert again == name
    assert old.ended == [(1008, REPLACED)]
    assert other.types() == []
    room.leave(name, old)
    assert other.types() == []
    assert len(room) == 2
    room.leave(name, new)
    assert other.types() == ["presence"]


def test_not_more_members_than_so_many(room: Room) -> None:
    members = [enter(room, client=f"secret-{number}") for number in range(3)]
    assert room.join(Member(), Join(), None) is None
    assert room.join(Member(), Join(client="secret-1"), None) == members[1][0]
    assert len(room) == 3


def test_a_full_disk_is_told_and_nothing_is_acknowledged(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    (ann, first), (_, second) = enter(room), enter(room)
    first.heard(), second.heard()

    def full(key: str, text: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(room.log, "append", full)
        room.publish(ann, Publish("x", 1))
    assert (first.heard()[0]["code"], second.heard()) == ("unavailable", [])
    room.publish(ann, Publish("x", 1))
    assert first.types() == ["message", "ack"]


def test_to_close(room: Room, tmp_path: Path) -> None:
    members = [enter(room)[1] for _ in range(2)]
    room.close(1012, "moved")
    assert [member.ended for member in members] == [[(1012, "moved")]] * 2
    opened(tmp_path).close(1000, "")
