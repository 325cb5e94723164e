"""A room that lives on a broker, as one replica follows it: the same steps in the same order as all others that have it open.

Nothing is done here that the broker has not told. A member is let in when the feed says that it has come; a message is told to
members when the feed brings it, and acknowledged when the broker has said that it is kept and it was told here.
"""

from collections import deque
from collections.abc import Iterator
from enum import Enum

import msgspec
from twisted.internet.defer import Deferred

from . import codes
from .backplane import Anew, Came, Event, Present, Said, Snapshot
from .roomoptions import RoomOptions
from .roomwords import Join, acknowledged, joined, member_of, numbered, presence
from .seats import REPLACED, MemberLike

__all__ = ["SharedRoom", "Taken", "Verdict"]


class Taken:
    """A connection's place in a room."""

    def __init__(self, connection: MemberLike, word: Join, secret: str, user: str | None, token: str) -> None:
        self.connection, self.word, self.secret, self.token = connection, word, secret, token
        self._facts = {"name": word.name, **({} if user is None else {"user": user})}
        self.entered: Deferred[Taken] = Deferred()
        self.admitted = self.gone = False

    def present(self, epoch: str) -> Present:
        """The member that it makes in a room of that epoch."""
        self.member = member_of(epoch, self.secret)
        self.facts = {"member": self.member, **self._facts}
        return Present(self.member, self.token, msgspec.json.encode(self.facts))

    def end(self, code: int, reason: str) -> None:
        """It has no place any more."""
        if not self.gone:
            self.gone = True
            self.connection.end(code, reason)


class Verdict(Enum):
    """What a replica has to do after it was told something."""

    GOOD = "nothing"
    MISSED = "open the room anew: a step was not heard"
    LOST = "close the connections: more was said meanwhile than is kept"
    BACK = "give the room a new epoch, as the broker has forgotten what members have heard"
    ANEW = "close the connections: the room has another epoch"


class SharedRoom:
    """One of them."""

    def __init__(self, name: str, snapshot: Snapshot, options: RoomOptions) -> None:
        self.name, self._options = name, options
        self.epoch, self._turn, self.seq, self._gone = snapshot.epoch, snapshot.turn, snapshot.seq, snapshot.gone
        self._said: deque[Said] = deque()
        self._bytes = 0
        for said in snapshot.said:
            self._keep(said)
        self._members = {present.member: present for present in snapshot.members}
        self.taken: dict[str, Taken] = {}
        """This replica's places, by token; some are not let in yet."""
        self._unacknowledged: deque[tuple[int, Taken, str]] = deque()

    # -- what the feed brings

    def apply(self, epoch: str, turn: int, event: Event) -> Verdict:
        """One step."""
        if epoch != self.epoch or isinstance(event, Anew):
            return Verdict.ANEW
        if turn <= self._turn:
            return Verdict.GOOD  # known by a snapshot
        if turn > self._turn + 1:
            return Verdict.MISSED
        self._turn = turn
        if isinstance(event, Said):
            self._hear(event)
        elif isinstance(event, Came):
            self._came(event.present)
        else:
            self._left(event.member, event.token)
        return Verdict.GOOD

    def catch_up(self, snapshot: Snapshot) -> Verdict:
        """All steps to the snapshot's, where some may have been missed. It was asked for from `seq` on."""
        if snapshot.epoch != self.epoch:
            return Verdict.ANEW
        numbers = [said.seq for said in snapshot.said]
        same = not self._said or numbers[:1] != [self.seq] or snapshot.said[0] == self._said[-1]
        first = max(self.seq, snapshot.gone + 1, 1)
        if snapshot.seq < self.seq or not same or numbers != list(range(first, snapshot.seq + 1)):
            return Verdict.BACK
        if snapshot.gone > self.seq:
            return Verdict.LOST
        for said in snapshot.said:
            if said.seq > self.seq:
                self._hear(said)
        now = {present.member: present for present in snapshot.members}
        for present in [each for each in self._members.values() if each.member not in now]:
            self._left(present.member, present.token)
        for present in now.values():
            if self._members.get(present.member) != present:
                self._came(present)
        self._turn = snapshot.turn
        return Verdict.GOOD

    def _hear(self, said: Said) -> None:
        self.seq = said.seq
        self._keep(said)
        self._tell(numbered(said.seq, said.body))
        while self._unacknowledged and self._unacknowledged[0][0] <= self.seq:
            seq, taken, name = self._unacknowledged.popleft()
            self._acknowledge(taken, name, seq)

    def _came(self, present: Present) -> None:
        before = self._members.get(present.member)
        self._members[present.member] = present
        mine = self.taken.get(present.token)
        if mine is not None and not mine.admitted:
            self._admit(mine)
        if before is None:
            self._tell(presence("joined", _facts(present), len(self._members)), but=present.token)
        elif before.token != present.token and before.token in self.taken:
            self.taken.pop(before.token).end(codes.POLICY, REPLACED)

    def _left(self, member: str, token: str) -> None:
        before = self._members.get(member)
        if before is not None and before.token == token:
            del self._members[member]
            self._tell(presence("left", _facts(before), len(self._members)), but=token)

    # -- members of this replica

    def _admit(self, mine: Taken) -> None:
        mine.admitted = True
        word, tell = mine.word, mine.connection.tell
        known = word.epoch == self.epoch and word.since is not None
        since = min(word.since or 0, self.seq) if known else 0
        missed = max(self._gone - since, 0) if known else 0
        present = [_facts(each) for each in self._members.values()]
        tell(joined(self.name, self.epoch, mine.member, self.seq, missed, present))
        for said in self._said:
            if said.seq > since:
                tell(numbered(said.seq, said.body))
        mine.entered.callback(mine)

    def acknowledge(self, taken: Taken, name: str, seq: int) -> None:
        """The broker has it; who said it learns of that when it has heard it."""
        if seq <= self.seq:
            self._acknowledge(taken, name, seq)
        else:
            self._unacknowledged.append((seq, taken, name))

    @staticmethod
    def _acknowledge(taken: Taken, name: str, seq: int) -> None:
        if not taken.gone:
            taken.connection.tell(acknowledged(name, seq))

    def unknown(self) -> list[Taken]:
        """Those of this replica's members whom the broker does not know any more."""
        there = {present.token for present in self._members.values()}
        return [taken for taken in self.taken.values() if taken.admitted and taken.token not in there]

    def ghosts(self, replica: str) -> list[tuple[str, str]]:
        """Members of this replica by the broker's word, member and token, whose connections are not here any more."""
        mine = [each for each in self._members.values() if each.token.startswith(f"{replica}.")]
        return [(each.member, each.token) for each in mine if each.token not in self.taken]

    # -- inside

    def _tell(self, text: bytes, but: str = "") -> None:
        for taken in [*self._admitted()]:
            if taken.token != but:
                taken.connection.tell(text)

    def _admitted(self) -> Iterator[Taken]:
        return (taken for taken in self.taken.values() if taken.admitted and not taken.gone)

    def _keep(self, said: Said) -> None:
        self._said.append(said)
        self._bytes += len(said.body)
        while len(self._said) > self._options.history or (self._bytes > self._options.history_bytes and len(self._said) > 1):
            oldest = self._said.popleft()
            self._bytes -= len(oldest.body)
            self._gone = oldest.seq


def _facts(present: Present) -> dict[str, str]:
    found: dict[str, str] = msgspec.json.decode(present.facts)
    return found
