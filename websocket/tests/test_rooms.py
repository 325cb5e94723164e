"""Rooms as their clients see them, over transports in memory."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from svckit.settings import BadOptions
from twisted.internet.task import Clock
from websocketsvc.door import DoorFactory
from websocketsvc.rooms import EARLY
from websocketsvc.rooms_service import make_factory

from .support.fixtures import MakeSettings, Tools

TEXT, BINARY, CLOSE = 1, 2, 8


class User:
    def __init__(self, tools: Tools, factory: DoorFactory, clock: Clock, path: str = "/ws/rooms/lobby") -> None:
        self._tools = tools
        self.client = tools.Client(factory, clock).open(path)

    def say(self, **word: Any) -> list[dict[str, Any]]:
        self.client.send(self._tools.client_frame(TEXT, json.dumps(word).encode()))
        return self.heard()

    def heard(self) -> list[dict[str, Any]]:
        self.frames = self.client.frames()
        return [json.loads(payload) for opcode, payload in self.frames if opcode == TEXT]

    def code(self) -> int | None:
        self.heard()
        return next((int.from_bytes(payload[:2], "big") for opcode, payload in self.frames if opcode == CLOSE), None)


class Reactor(Clock):
    """A clock; whoever waits for a descriptor waits."""

    def addReader(self, reader: object) -> None:
        pass

    def removeReader(self, reader: object) -> None:
        pass


@pytest.fixture
def clock() -> Reactor:
    return Reactor()


@pytest.fixture
def start(settings: MakeSettings, clock: Clock, tools: Tools) -> Iterator[Callable[..., Callable[..., User]]]:
    made = []

    def service(**options: Any) -> Callable[..., User]:
        room = {"protocol": "websocketsvc.rooms.Member", "options": options.pop("room", {}), "ping_interval": 0}
        made.append(make_factory(settings("rooms", mounts={"/ws/rooms/*": room}, **options), clock))
        made[-1].doStart()
        return lambda path="/ws/rooms/lobby": User(tools, made[-1], clock, path)

    yield service
    for factory in made:
        factory.doStop()


def test_a_conversation(start: Callable[..., Callable[..., User]]) -> None:
    user = start()
    ann, bob = user(), user()
    (joined,) = ann.say(type="join", name="Ann")
    assert joined["room"] == "lobby"
    assert [word["type"] for word in bob.say(type="join", name="Bob")] == ["joined"]
    assert [word["type"] for word in bob.say(type="publish", id="1", data="hello")] == ["message", "ack"]
    assert [(word["type"], word.get("data")) for word in ann.heard()] == [("presence", None), ("message", "hello")]
    bob.client.lose()
    (left,) = ann.heard()
    assert (left["event"], left["name"], left["count"]) == ("left", "Bob", 1)


def test_rooms_are_apart(start: Callable[..., Callable[..., User]]) -> None:
    user = start()
    here, there = user(), user("/ws/rooms/hall?x=y")
    here.say(type="join")
    assert there.say(type="join")[0]["room"] == "hall"
    there.say(type="publish", id="1", data=1)
    assert here.heard() == []


@pytest.mark.parametrize("name", ["a", ".", "x" * 64, "A-z_0~9."])
def test_names(start: Callable[..., Callable[..., User]], name: str) -> None:
    assert start()(f"/ws/rooms/{name}" if name != "." else "/ws/rooms/...").say(type="join")[0]["type"] == "joined"


@pytest.mark.parametrize("name", ["x" * 65, "a+b", "%C3%A9", "a%20b", "*", "%00", "a%2Fb"])
def test_what_is_no_name(
    start: Callable[..., Callable[..., User]], settings: MakeSettings, clock: Clock, tools: Tools, name: str
) -> None:
    start()
    factory = make_factory(settings("rooms"), clock)
    answer = tools.Client(factory, clock).send(tools.opening(f"/ws/rooms/{name}")).received()
    assert answer[9:12] in (b"404", b"400")
    assert b"room" in answer or answer[9:12] == b"400"


def test_what_is_not_understood_is_told_and_the_connection_stays(start: Callable[..., Callable[..., User]]) -> None:
    user = start()()
    assert user.say(type="publish", id="7", data=1) == [
        {"type": "error", "code": "bad-message", "text": "join first", "id": "7"}
    ]
    assert user.say(type="sing")[0]["code"] == "bad-message"
    user.say(type="join")
    assert user.say(type="join")[0]["code"] == "bad-message"
    user.client.send(user._tools.client_frame(BINARY, b"{}"))
    assert user.heard()[0]["code"] == "bad-message"
    assert user.say(type="publish", id="7", data=1)[-1]["type"] == "ack"


def test_who_does_not_join_is_closed(start: Callable[..., Callable[..., User]], clock: Clock) -> None:
    user = start()
    late, early = user(), user()
    early.say(type="join")
    clock.advance(10)
    assert (late.code(), early.code()) == (1008, None)


def test_what_is_said_while_the_room_comes_waits(start: Callable[..., Callable[..., User]], clock: Clock) -> None:
    owner, user = start()(), start()()  # two replicas
    owner.say(type="join")
    assert user.say(type="join") == []
    told = [word for number in range(EARLY + 1) for word in user.say(type="publish", id=str(number), data=number)]
    assert [(word["code"], word["id"]) for word in told] == [("too-fast", str(EARLY))]
    owner.client.lose()
    clock.advance(0.05)
    heard = user.heard()
    assert [word["data"] for word in heard if word["type"] == "message"] == list(range(EARLY))
    assert (heard[0]["type"], sum(word["type"] == "ack" for word in heard)) == ("joined", EARLY)


def test_who_says_too_much_is_told_so(start: Callable[..., Callable[..., User]], clock: Clock) -> None:
    user = start(room={"rate": 2, "burst": 3})()
    user.say(type="join")
    kinds = [user.say(type="publish", id=str(number), data=1)[-1] for number in range(5)]
    assert [word["type"] for word in kinds] == ["ack", "ack", "ack", "error", "error"]
    assert (kinds[4]["code"], kinds[4]["id"]) == ("too-fast", "4")
    clock.advance(1)
    assert [user.say(type="publish", id=f"x{number}", data=1)[-1]["type"] for number in range(3)] == ["ack", "ack", "error"]


def test_a_full_room(start: Callable[..., Callable[..., User]]) -> None:
    user = start(room={"max_members": 1})
    user().say(type="join")
    other = user()
    other.say(type="join")
    assert [payload[:2] for opcode, payload in other.frames if opcode == CLOSE] == [b"\x03\xf5"]


def test_a_drain_moves_a_room_as_a_whole(start: Callable[..., Callable[..., User]], clock: Clock) -> None:
    user = start()
    users = [user() for _ in range(3)]
    for each in users:
        each.say(type="join")
    elsewhere = user("/ws/rooms/hall")
    elsewhere.say(type="join")
    for each in [*users, elsewhere]:
        each.heard()
        each.client.door.drain()
    goodbye = users[1].client.door._goodbye
    assert goodbye is not None
    goodbye._moment = 0
    users[1].client.door.expire()
    assert [each.code() for each in [*users, elsewhere]] == [1001, 1001, 1001, None]


def test_a_member_that_does_not_read_is_closed_and_the_others_hear_all(
    start: Callable[..., Callable[..., User]], clock: Clock
) -> None:
    user = start(max_unsent=4000, room={"history_bytes": 2000, "rate": 1000, "burst": 1000})
    slow, other, speaker = user(), user(), user()
    for each in (slow, other, speaker):
        each.say(type="join")
    slow.client.wire.producer.pauseProducing()  # as a transport does whose buffer is full
    for number in range(100):
        assert speaker.say(type="publish", id=str(number), data="x" * 100)[-1]["type"] == "ack"
    assert len([word for word in other.heard() if word["type"] == "message"]) == 100
    assert len(slow.client.wire.value()) < 6000
    assert slow.code() == 1008
    clock.advance(2)
    assert slow.client.wire.aborted


@pytest.mark.parametrize(
    "room", [{"history": 0}, {"history_bytes": 1 << 20}, {"colour": 1}, {"rate": 0}, {"max_members": 0}, {"keep": -1}]
)
def test_wrong_options(start: Callable[..., Callable[..., User]], room: dict[str, Any]) -> None:
    with pytest.raises(BadOptions, match="options"):
        start(room=room)
