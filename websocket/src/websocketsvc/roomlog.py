"""A room on the disk: who may speak for it, and what was said last.

One file for each room, in a folder that all replicas share. Whoever holds its lock (flock(2)) is the room's owner; the kernel
lets go of the lock when a process dies, however it dies. The file is a line of JSON for the room and one for each message:

    {"epoch":"c0ffee12","seq":41}
    {"seq":42,"key":"5e3f…","message":{"type":"message","seq":42,…}}

A message counts from the moment that its line is written: then it survives the process (not the machine: nothing is synced).
A line that is not whole was cut by a death in the middle, and nobody was told that it counts. When the lines are twice what is
kept, the last ones are written to a new file, which takes the old one's place with its lock already held.
"""

import fcntl
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import msgspec
from msgspec import Raw, Struct

__all__ = ["SUFFIX", "NoMoreRooms", "Record", "RoomLog", "TakenElsewhere", "sweep"]

SUFFIX = ".room"


class TakenElsewhere(Exception):
    """Another process owns the room."""


class NoMoreRooms(Exception):
    """There are as many as there may be."""


class Head(Struct, frozen=True):
    """The first line."""

    epoch: str
    seq: int
    """Of the last message that is no more there."""


class Record(Struct, frozen=True):
    """A message."""

    seq: int
    key: str
    """Of who sent it and what they called it; empty where they have given no name."""
    message: Raw
    """As members get it."""


class RoomLog:
    """The room's last messages, here and on the disk."""

    def __init__(self, path: Path, history: int, history_bytes: int, most: int) -> None:
        """Take the room, or make it. `history` messages of `history_bytes` in all are kept; `most`: rooms in the folder.

        Raises:
            TakenElsewhere, NoMoreRooms: it cannot be had.
            OSError: the disk.
        """
        self._path, self._history, self._history_bytes = path, history, history_bytes
        self.records: deque[Record] = deque()
        self._bytes = self._lines = 0
        self._file = _locked(path, most)
        try:
            self._read()
        except BaseException:
            os.close(self._file)
            raise

    @property
    def seq(self) -> int:
        """The last message's number; they count from 1."""
        return self.records[-1].seq if self.records else self._gone

    @property
    def gone(self) -> int:
        """The number of the last message that is not kept any more."""
        return self._gone

    def since(self, seq: int) -> Iterator[Record]:
        """What is kept of the messages after `seq`."""
        return (record for record in self.records if record.seq > seq)

    def append(self, key: str, message: bytes) -> Record:
        """Keep a message; when this returns, it counts.

        Raises:
            OSError: the disk; nothing has changed.
        """
        record = Record(self.seq + 1, key, Raw(message))
        line = msgspec.json.encode(record) + b"\n"
        try:
            _write(self._file, line)
        except OSError:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += len(line)
        self._lines += 1
        self._keep(record)
        if self._lines > 2 * self._history or self._size > 2 * self._history_bytes + 4096:
            self._compact()
        return record

    def close(self) -> None:
        """Let go of the room."""
        os.close(self._file)

    # -- inside

    def _keep(self, record: Record) -> None:
        self.records.append(record)
        self._bytes += len(record.message)
        while len(self.records) > self._history or (self._bytes > self._history_bytes and len(self.records) > 1):
            oldest = self.records.popleft()
            self._bytes -= len(oldest.message)
            self._gone = oldest.seq

    def _read(self) -> None:
        data = b""
        while piece := os.read(self._file, 1 << 20):
            data += piece
        end = data.rfind(b"\n") + 1
        first, *lines = data[:end].splitlines() or [b""]
        try:
            head = msgspec.json.decode(first, type=Head)
            records = [msgspec.json.decode(line, type=Record) for line in lines]
        except msgspec.MsgspecError:  # not ours, or a disk that was full: begin anew, and everybody sees that by the epoch
            head, records, end = Head("", 0), [], 0
        self._size, self._lines, self._gone = end, len(records), head.seq
        self.epoch = head.epoch or token_hex(4)
        for record in records:
            self._keep(record)
        if end != len(data) or not end:
            os.ftruncate(self._file, end)
        os.lseek(self._file, end, os.SEEK_SET)
        if not end:
            self._size = _write(self._file, msgspec.json.encode(Head(self.epoch, 0)) + b"\n")

    def _compact(self) -> None:
        """The new file is locked before it has the room's name, so nobody can come between."""
        temporary = self._path.with_suffix(".new")
        file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            head = msgspec.json.encode(Head(self.epoch, self._gone))
            lines = [head, *(msgspec.json.encode(record) for record in self.records), b""]
            size = _write(file, b"\n".join(lines))
            temporary.rename(self._path)
        except OSError:  # the disk is full: the old file is as good, only longer
            os.close(file)
            return
        os.close(self._file)
        self._file, self._size, self._lines = file, size, len(self.records)


def _locked(path: Path, most: int) -> int:
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            if sum(1 for entry in os.scandir(path.parent) if entry.name.endswith(SUFFIX)) >= most:
                raise NoMoreRooms from None
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.sameopenfile(file, named := os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)):
                os.close(named)
                return file
            os.close(named)
        except BlockingIOError:
            os.close(file)
            raise TakenElsewhere from None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # it was replaced or removed while we took it


def _write(file: int, data: bytes) -> int:
    done = 0
    while done < len(data):
        done += os.write(file, data[done:])
    return done


def sweep(folder: Path, before: float) -> int:
    """Remove rooms that nobody owns and in which nothing was said since `before` (a time as of stat(2)); how many."""
    removed = 0
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            if path.stat().st_mtime >= before:
                continue
            file = _locked(path, 1 << 30)
        except (OSError, TakenElsewhere):
            continue
        try:
            if os.fstat(file).st_mtime < before:
                path.unlink(missing_ok=True)
                removed += 1
        finally:
            os.close(file)
    return removed
