"""One room, while this replica owns it: its members, its log, and what goes to and fro. No input or output but the log's."""

from collections.abc import Callable, Iterator
from secrets import token_hex

from . import codes
from .roomlog import RoomLog
from .roomwords import Join, Publish, acknowledged, error, joined, key_of, member_of, message, presence
from .seats import REPLACED, MemberLike

__all__ = ["Room"]


class Room:
    """The members know of each other, and of all that is said, in one order."""

    def __init__(self, name: str, log: RoomLog, now: Callable[[], float], most_members: int) -> None:
        self.name, self.log, self._now, self._most = name, log, now, most_members
        self._members: dict[str, tuple[MemberLike, dict[str, str], str]] = {}
        self._seqs = {record.key: record.seq for record in log.records if record.key}

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[MemberLike]:
        return iter([member for member, _, _ in self._members.values()])

    def join(self, connection: MemberLike, word: Join, user: str | None) -> str | None:
        """Let a client in, and tell it what it has missed; its member's name, or None where the room is full."""
        secret = word.client or token_hex(16)
        member = member_of(self.log.epoch, secret)
        before = self._members.get(member)
        if before is None and len(self._members) >= self._most:
            return None
        facts = {"member": member, "name": word.name, **({} if user is None else {"user": user})}
        self._members[member] = (connection, facts, secret)
        known = word.epoch == self.log.epoch and word.since is not None
        since = min(word.since or 0, self.log.seq) if known else 0
        missed = max(self.log.gone - since, 0) if known else 0
        present = [each for _, each, _ in self._members.values()]
        connection.tell(joined(self.name, self.log.epoch, member, self.log.seq, missed, present))
        for record in self.log.since(since):
            connection.tell(bytes(record.message))
        if before is not None:
            before[0].end(codes.POLICY, REPLACED)
        else:
            self._others(member, presence("joined", facts, len(self._members)))
        return member

    def leave(self, member: str, connection: MemberLike) -> None:
        """Its connection has ended; unless another one has taken its place, the others hear of it."""
        found = self._members.get(member)
        if found is not None and found[0] is connection:
            del self._members[member]
            self._others(member, presence("left", found[1], len(self._members)))

    def publish(self, member: str, word: Publish) -> None:
        """Keep it, tell it to all, and only then say so to who has said it. What was kept already is not kept twice."""
        connection, facts, secret = self._members[member]
        key = key_of(secret, word.id)
        seq = self._seqs.get(key)
        if seq is None:
            try:
                text = message(self.log.seq + 1, facts, self._now(), word.data)
                seq = self._keep(key, text)
            except ValueError as problem:
                connection.tell(error("bad-message", str(problem), word.id))
                return
            except OSError as problem:
                connection.tell(error("unavailable", f"it could not be kept: {problem.strerror}", word.id))
                return
            for each in self:
                each.tell(text)
        connection.tell(acknowledged(word.id, seq))

    def close(self, code: int, reason: str) -> None:
        """It is ours no more."""
        self.log.close()
        members, self._members = list(self), {}
        for member in members:
            member.end(code, reason)

    def _keep(self, key: str, text: bytes) -> int:
        gone = [record.key for record in self.log.records]
        seq = self.log.append(key, text).seq
        self._seqs[key] = seq
        for old in gone[: max(0, len(gone) + 1 - len(self.log.records))]:
            self._seqs.pop(old, None)
        return seq

    def _others(self, member: str, text: bytes) -> None:
        for name, (connection, _, _) in list(self._members.items()):
            if name != member:
                connection.tell(text)
