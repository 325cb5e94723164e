"""An event for each finished upload, told at least once, whatever crashes in between. Blocks.

    .events/ID.intent     written before the file is put in place: what is about to happen
           /ID.spool      it has happened, and is to stand in the spool
           /ID.hook       it stands there, and the hook or webhook is to hear of it
           /lock          held by the replica that delivers

Each step is a rename, so a crash leaves an event where it was. An intent that nobody carries on belongs to a replica that died:
whether its file is in place can be seen (`settle`). An event has an identifier, so that whoever hears of it twice can tell.
"""

import fcntl
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from twisted.logger import Logger

from .part import sync_folder, write_all
from .tus.bell import Lock

__all__ = ["FOLDER", "PATIENCE", "Event", "Journal"]

log = Logger()

FOLDER = ".events"
"""Sub-folder of the store's root; no upload can have that name."""
PATIENCE = 60.0
"""Seconds after which an intent is looked at; putting a file in place takes far less."""


class Event(msgspec.Struct, frozen=True):
    """A finished upload."""

    id: str
    time: float
    """When, in seconds since 1970."""
    name: str
    size: int
    sha256: str | None
    """None for one that came in several requests, or of which nobody asked for it."""
    user: str
    inode: int
    """Of the file; 0 where it lies in an object store."""
    source: str
    """Where it was before, below the root; in an object store the upload that has made it."""

    @classmethod
    def of(cls, name: str, size: int, sha256: bytes | None, user: str, source: str, inode: int = 0) -> "Event":
        """What is about to happen now."""
        digest = None if sha256 is None else sha256.hex()
        return cls(uuid.uuid4().hex, time.time(), name, size, digest, user, inode, source)

    @property
    def line(self) -> bytes:
        """What is told: JSON, with its line end."""
        return (
            msgspec.json.encode({name: getattr(self, name) for name in ("id", "time", "name", "size", "sha256", "user")})
            + b"\n"
        )


@dataclass(frozen=True, slots=True)
class Journal:
    """The events of one store."""

    root: Path
    happened: Callable[[Event], bool] | None = None
    """Whether what a crash has cut short has happened, where the files are not below `root`."""

    @property
    def folder(self) -> Path:
        return self.root / FOLDER

    def prepare(self) -> None:
        """
        Raises:
            OSError: the folder cannot be made.
        """
        self.folder.mkdir(mode=0o750, exist_ok=True)

    @contextmanager
    def around(self, source: Path, name: str, sha256: bytes | None, user: str) -> Iterator[None]:
        """While `source` becomes the file `name`; if that fails, nothing has happened.

        Raises:
            OSError: the disk is full, or worse.
        """
        about = source.stat()
        event = Event.of(name, about.st_size, sha256, user, str(source.relative_to(self.root)), about.st_ino)
        with self.noting(event):
            yield

    @contextmanager
    def noting(self, event: Event) -> Iterator[None]:
        """While it happens; if that fails, nothing has happened.

        Raises:
            OSError: the disk is full, or worse.
        """
        self._write(event, "intent")
        try:
            yield
        except BaseException:
            self._path(event, "intent").unlink(missing_ok=True)
            raise
        try:
            self._carry_on(event)
        except OSError as error:  # the file is there all the same, and `settle` finds the intent and sees that
            log.critical("the event of {name} comes later: {error}", name=event.name, error=str(error))

    def _carry_on(self, event: Event) -> None:
        try:
            self._step(event, "intent", "spool")
        except FileNotFoundError:  # somebody took us for dead
            self._write(event, "spool")

    def settle(self, now: float) -> None:
        """Decide on the intents of replicas that have died."""
        for path in (*self.folder.glob("*.intent"), *self.folder.glob("*.new")):
            with suppress(OSError):
                if now - path.stat().st_mtime < PATIENCE:
                    continue
                if path.suffix == ".new":
                    path.unlink()
                    continue
                event = _read(path)
                if (self.happened or self._has_happened)(event):
                    self._step(event, "intent", "spool")
                else:
                    path.unlink()

    def _has_happened(self, event: Event) -> bool:
        """Its file stands under its name, or is no longer where it was: then it stood there, and has been replaced since."""
        return _inode(self.root / event.name) == event.inode or _inode(self.root / event.source) != event.inode

    def deliver(
        self, spool: Path | None, tell: Callable[[bytes], None] | None, goes_on: Callable[[], object] = lambda: True
    ) -> int:
        """Carry on every event, the oldest first; returns how many are done with. Before each, `goes_on` may say no.

        Where another replica is at it, nothing is done. With neither `spool` nor `tell` events are just dropped.

        Raises:
            OSError: the spool cannot be written; or whatever `tell` raises. That event, and those behind it, wait.
        """
        lock = self._lock()
        if lock is None:
            return 0
        try:
            waiting = sorted([*self._waiting("hook"), *self._waiting("spool")], key=lambda each: each[1].time)
            for done, (path, event) in enumerate(waiting):
                if not goes_on():
                    return done
                if path.suffix == ".spool":
                    if spool is not None:
                        _append(spool, event.line)
                    self._step(event, "spool", "hook")
                if tell is not None:
                    tell(event.line)
                self._path(event, "hook").unlink()
            return len(waiting)
        finally:
            lock.release()

    def _waiting(self, kind: str) -> list[tuple[Path, Event]]:
        return [(path, _read(path)) for path in self.folder.glob(f"*.{kind}")]

    def _lock(self) -> Lock | None:
        path = self.folder / "lock"
        with suppress(FileExistsError):
            path.touch(0o600, exist_ok=False)
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        lock = Lock(path, fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.release()
            return None
        return lock

    def _path(self, event: Event, kind: str) -> Path:
        return self.folder / f"{event.id}.{kind}"

    def _step(self, event: Event, before: str, after: str) -> None:
        self._path(event, before).rename(self._path(event, after))
        sync_folder(self.folder)

    def _write(self, event: Event, kind: str) -> None:
        fresh = self._path(event, "new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(fd, [msgspec.json.encode(event)])
            os.fsync(fd)
        finally:
            os.close(fd)
        fresh.rename(self._path(event, kind))
        sync_folder(self.folder)


def _read(path: Path) -> Event:
    return msgspec.json.decode(path.read_bytes(), type=Event)


def _inode(path: Path) -> int | None:
    try:
        about = path.lstat()
    except OSError:
        return None
    return about.st_ino if stat.S_ISREG(about.st_mode) else None


def _append(spool: Path, line: bytes) -> None:
    """One write at the end of the file: whoever reads it sees whole lines. A piece of one is taken back, as it comes again."""
    fd = os.open(spool, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        written = os.write(fd, line)
        if written != len(line):
            os.ftruncate(fd, os.fstat(fd).st_size - written)
            raise OSError(f"{spool}: a line was cut")
        os.fsync(fd)
    finally:
        os.close(fd)
