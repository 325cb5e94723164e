"""A broker in memory: the same contract as the one by Redis, which the same tests hold both to (test_broker.py)."""

from collections import defaultdict
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from websocketsvc.backplane import (
    Anew,
    BrokerAway,
    Came,
    Event,
    Heard,
    Left,
    Present,
    Refused,
    Said,
    Snapshot,
)
from websocketsvc.roomoptions import RoomOptions

__all__ = ["Memory", "MemoryBroker"]

_epochs = count(1)
T = TypeVar("T")


class RoomThere:
    """What the broker has of a room."""

    def __init__(self) -> None:
        self.epoch, self.turn, self.seq, self.gone = f"epoch-{next(_epochs)}", 0, 0, 0
        self.said: list[Said] = []
        self.members: dict[str, Present] = {}


class Memory:
    """What all replicas share. While it is `away`, nothing is done; what a test holds back by `slow` is done later."""

    def __init__(self) -> None:
        self.rooms: dict[str, RoomThere] = {}
        self.brokers: list[MemoryBroker] = []
        self.away = self.slow = self.deaf = False
        self.later: list[Callable[[], object]] = []

    def connect(self, address: str, names: str, replica: str, options: RoomOptions, reactor: object) -> "MemoryBroker":
        return MemoryBroker(self, replica, options)

    def told(self, name: str, event: Event) -> None:
        room = self.rooms[name]
        room.turn += 1
        for broker in [each for each in self.brokers if name in each.listened and not self.deaf]:
            broker.heard(name, room.epoch, room.turn, event)

    def go(self) -> None:
        """The broker cannot be reached any more."""
        self.away = True

    def come_back(self) -> None:
        """It can, and every replica learns of that."""
        self.away = False
        for broker in self.brokers:
            broker.back()

    def do_later(self) -> None:
        """What was held back."""
        self.slow, later, self.later = False, self.later, []
        for each in later:
            each()

    def die(self, broker: "MemoryBroker") -> None:
        """A replica is no more; its members stay until somebody sweeps."""
        self.brokers.remove(broker)


class MemoryBroker:
    """See `websocketsvc.backplane.Broker`."""

    def __init__(self, memory: Memory, replica: str, options: RoomOptions) -> None:
        self.memory, self.replica, self.options = memory, replica, options
        self.listened: set[str] = set()
        self.asked: dict[str, int] = defaultdict(int)

    def start(self, heard: Heard, back: Callable[[], None]) -> None:
        self.heard, self.back = heard, back
        self.memory.brokers.append(self)
        back()

    def stop(self) -> None:
        if self in self.memory.brokers:
            self.memory.brokers.remove(self)

    def _do(self, what: str, step: Callable[[], T]) -> "Deferred[T]":
        self.asked[what] += 1
        if self.memory.away:
            return fail(BrokerAway("the broker is away"))
        if not self.memory.slow:
            try:
                return succeed(step())
            except Refused as refused:
                return fail(refused)
        result: Deferred[T] = Deferred()
        self.memory.later.append(lambda: self._do(what, step).chainDeferred(result))
        return result

    def open(self, name: str, since: int) -> "Deferred[Snapshot]":
        def step() -> Snapshot:
            if name not in self.memory.rooms:
                if len(self.memory.rooms) >= self.options.max_rooms:
                    raise Refused("most")
                self.memory.rooms[name] = RoomThere()
            self.listened.add(name)
            room = self.memory.rooms[name]
            self._bury(name)
            said = [each for each in room.said if each.seq >= since]
            return Snapshot(room.epoch, room.turn, room.seq, room.gone, said, list(room.members.values()))

        return self._do("open", step)

    def close(self, name: str) -> None:
        self.listened.discard(name)

    def publish(self, name: str, epoch: str, key: str, body: bytes) -> "Deferred[int]":
        def step() -> int:
            room = self._same(name, epoch)
            known = [each.seq for each in room.said if each.key == key]
            if known:
                return known[0]
            room.seq += 1
            room.said.append(Said(room.seq, key, body))
            most, size = self.options.history, self.options.history_bytes
            while len(room.said) > most or (len(room.said) > 1 and sum(len(each.body) for each in room.said) > size):
                room.gone = room.said.pop(0).seq
            self.memory.told(name, Said(room.seq, key, body))
            return room.seq

        return self._do("publish", step)

    def join(self, name: str, epoch: str, present: Present) -> "Deferred[None]":
        def step() -> None:
            room = self._same(name, epoch)
            before = room.members.get(present.member)
            if before is None and len(room.members) >= self.options.max_members:
                raise Refused("full")
            if before != present:
                room.members[present.member] = present
                self.memory.told(name, Came(present))

        return self._do("join", step)

    def leave(self, name: str, member: str, token: str) -> "Deferred[None]":
        def step() -> None:
            before = self.memory.rooms[name].members.get(member)
            if before is not None and before.token == token:
                del self.memory.rooms[name].members[member]
                self.memory.told(name, Left(member, token))

        return self._do("leave", step)

    def renew(self, name: str, epoch: str) -> "Deferred[None]":
        def step() -> None:
            room = self.memory.rooms[name]
            if room.epoch == epoch:
                self.memory.told(name, Anew())
                room.epoch = f"epoch-{next(_epochs)}"
                room.members.clear()

        return self._do("renew", step)

    def sweep(self, name: str) -> "Deferred[None]":
        return self._do("sweep", lambda: self._bury(name))

    def _bury(self, name: str) -> None:
        alive = {each.replica for each in self.memory.brokers}
        for each in list(self.memory.rooms[name].members.values()):
            if each.token.partition(".")[0] not in alive:
                del self.memory.rooms[name].members[each.member]
                self.memory.told(name, Left(each.member, each.token))

    def _same(self, name: str, epoch: str) -> RoomThere:
        if self.memory.rooms[name].epoch != epoch:
            raise Refused("another")
        return self.memory.rooms[name]
