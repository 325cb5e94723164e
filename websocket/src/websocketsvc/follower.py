"""How this replica follows a room on a broker while it has members in it.

The room is opened when the first member comes, and again whenever the broker was away or a step was missed; what the feed
brings meanwhile is held. It is closed when its last member has left and the broker knows that.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import codes
from .backplane import Broker, BrokerAway, Event, Refused, Snapshot
from .roomlog import NoMoreRooms
from .roomoptions import RoomOptions
from .roomwords import Publish, body, error, key_of
from .seats import RoomFull
from .sharedroom import SharedRoom, Taken, Verdict

__all__ = ["BEGUN_ANEW", "HELD", "LOST", "RETRY", "Follower"]

RETRY = 1.0
"""Seconds until a room is opened again that could not be opened."""
HELD = 1000
"""Steps that are held while the room is being opened; beyond that it is opened once more."""
LOST = "more was said than is kept: connect again"
BEGUN_ANEW = "the room has begun anew: connect again"
UNSURE = "it is not known to be kept: say it again later, by the same id"


class Follower:
    """Of one room."""

    log = Logger()

    def __init__(
        self, name: str, broker: Broker, replica: str, options: RoomOptions, clock: Any, now: Callable[[], float],
        done: Callable[[str], None],
    ) -> None:  # fmt: skip
        """`done` is called with the room's name when it need not be followed any more."""
        self.name, self._broker, self._replica, self._options = name, broker, replica, options
        self._clock, self._now, self._done = clock, now, done
        self._room: SharedRoom | None = None
        self._opening = self._stopped = False
        self._held: list[tuple[str, int, Event]] = []
        self._waiting: dict[str, Taken] = {}
        """Who wants to come in when the room is open, by token."""
        self._leaving: dict[str, str] = {}
        """Members of which the broker is still to learn that they have left, by token."""
        self._retry: IDelayedCall | None = None

    # -- members

    def join(self, taken: Taken) -> None:
        """Somebody wants to come in; `taken.entered` says when, or why not."""
        if self._room is None or self._opening:
            self._waiting[taken.token] = taken
            self.open()
            return
        room, present = self._room, taken.present(self._room.epoch)
        room.taken[taken.token] = taken
        self._broker.join(self.name, room.epoch, present).addErrback(self._not_joined, taken)

    def _not_joined(self, failure: Failure, taken: Taken) -> None:
        if taken.gone or taken.admitted:
            return
        if self._room is not None:
            self._room.taken.pop(taken.token, None)
        if failure.check(Refused) and str(failure.value) == "another":
            self._waiting[taken.token] = taken
            self.open()
            return
        self._waiting.pop(taken.token, None)
        taken.gone = True
        if not failure.check(Refused):
            self._tell_left(taken.member, taken.token)  # it may have come all the same
        taken.entered.errback(RoomFull() if failure.check(Refused) else failure.value)
        self._look_round()

    def leave(self, taken: Taken) -> None:
        """The connection has ended."""
        if taken.gone:
            return
        taken.gone = True
        if self._waiting.pop(taken.token, None) is None and self._room is not None:
            self._room.taken.pop(taken.token, None)
            self._tell_left(taken.member, taken.token)
        self._look_round()

    def _tell_left(self, member: str, token: str) -> None:
        self._leaving[token] = member

        def told(_: object) -> None:
            self._leaving.pop(token, None)
            self._look_round()

        self._broker.leave(self.name, member, token).addCallbacks(told, _quietly)  # what failed is told by `sweep`

    def publish(self, taken: Taken, word: Publish) -> None:
        """What a member says."""
        room = self._room
        if room is None or taken.gone:
            return
        try:
            said = body(taken.facts, self._now(), word.data)
        except ValueError as problem:
            taken.connection.tell(error("bad-message", str(problem), word.id))
            return

        def failed(failure: Failure) -> None:
            if failure.check(Refused):
                self.open()
            elif not taken.gone:
                why = str(failure.value) if failure.check(BrokerAway) else "it failed"
                taken.connection.tell(error("unavailable", f"{why}; {UNSURE}", word.id))

        kept: Deferred[int] = self._broker.publish(self.name, room.epoch, key_of(taken.secret, word.id), said)
        kept.addCallbacks(lambda seq: room.acknowledge(taken, word.id, seq), failed)

    # -- the room

    def open(self) -> None:
        """Open it, unless that is under way."""
        if self._opening or self._stopped:
            return
        _cancel(self._retry)
        self._retry, self._opening = None, True
        since = self._room.seq if self._room is not None else 0
        self._broker.open(self.name, since).addCallbacks(self._opened, self._not_opened)

    def _opened(self, snapshot: Snapshot) -> None:
        self._opening = False
        if self._stopped:
            return
        if self._room is None:
            self._room = SharedRoom(self.name, snapshot, self._options)
        else:
            self._settle(self._room.catch_up(snapshot))
        held, self._held = self._held, []
        for step in held:
            self.heard(*step)
        if self._room is None or self._opening:
            return
        self._mend(self._room)
        waiting, self._waiting = self._waiting, {}
        for taken in waiting.values():
            self.join(taken)
        self._look_round()

    def _not_opened(self, failure: Failure) -> None:
        self._opening = False
        self._held.clear()
        waiting, self._waiting = self._waiting, {}
        for taken in waiting.values():
            taken.gone = True
            taken.entered.errback(NoMoreRooms() if failure.check(Refused) else failure.value)
        if not self._idle and not self._stopped:
            self._retry = self._clock.callLater(RETRY, self._again)
        self._look_round()

    def _again(self) -> None:
        self._retry = None
        self.open()

    def heard(self, epoch: str, turn: int, event: Event) -> None:
        """The feed brings a step."""
        if self._opening:
            if len(self._held) >= HELD:
                self._held.clear()
            self._held.append((epoch, turn, event))
        elif self._room is not None:
            self._settle(self._room.apply(epoch, turn, event))

    def _settle(self, verdict: Verdict) -> None:
        room = self._room
        if verdict is Verdict.GOOD or room is None:
            return
        if verdict is Verdict.MISSED:
            self.open()
            return
        if verdict is Verdict.BACK:
            self.log.error("the broker has lost what was said in a room, which begins anew: {room}", room=self.name)
            self._broker.renew(self.name, room.epoch).addErrback(_quietly)
        self._room = None
        for taken in room.taken.values():
            if taken.admitted:
                self._tell_left(taken.member, taken.token)
                taken.end(codes.SERVICE_RESTART, LOST if verdict is Verdict.LOST else BEGUN_ANEW)
            else:
                self._waiting[taken.token] = taken
        self.open()

    def sweep(self) -> None:
        """Now and then: what could not be told the broker before."""
        if self._room is not None and not self._opening:
            self._broker.sweep(self.name).addErrback(_quietly)
            self._mend(self._room)

    def _mend(self, room: SharedRoom) -> None:
        """The broker has the same members of this replica as it has itself."""
        for taken in room.unknown():
            self._broker.join(self.name, room.epoch, taken.present(room.epoch)).addErrback(_quietly)
        for member, token in {*((member, token) for token, member in self._leaving.items()), *room.ghosts(self._replica)}:
            self._tell_left(member, token)

    # -- the end

    @property
    def _idle(self) -> bool:
        taken = self._room.taken if self._room is not None else {}
        return not (self._opening or self._waiting or self._leaving or taken)

    def _look_round(self) -> None:
        """An empty room is not followed."""
        if self._idle and not self._stopped:
            self.stop()
            self._done(self.name)

    def stop(self) -> None:
        """Follow it no more; who is still there is told to go."""
        self._stopped = True
        _cancel(self._retry)
        for taken in list(self._room.taken.values()) if self._room is not None else []:
            taken.end(codes.GOING_AWAY, "going away")


def _quietly(failure: Failure) -> None:
    failure.trap(BrokerAway, Refused)


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
