"""One upload in the making, on disk: what is known of it, what has come and counts, and how it becomes a file. Blocks."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from twisted.internet.interfaces import IReactorFDSet

from ..part import Published
from ..quota import Growing
from ..store import Store
from .bell import Listening, Lock
from .folder import remove, write
from .info import Info

__all__ = ["Upload"]


class Upload:
    """One upload, whose lock is ours until `release`."""

    def __init__(self, folder: Path, lock: Lock, store: Store) -> None:
        """
        Raises:
            FileNotFoundError: it is being removed, or was not made in full.
        """
        self.folder, self.lock, self._store = folder, lock, store
        self.data = folder / "data"
        self.info = msgspec.json.decode((folder / "info").read_bytes(), type=Info)
        self._settle_doubts()

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def published(self) -> bool:
        """Only publishing takes `data` away while `info` is there."""
        return not self.data.exists()

    @property
    def growing(self) -> Growing:
        """What tells where more of it would be too much."""
        return Growing(self._store.quota, "" if self.info.partial else self.info.name)

    @property
    def offset(self) -> int:
        """Bytes that have come."""
        try:
            return self.data.stat().st_size
        except FileNotFoundError:
            return self.info.length or 0

    @property
    def whole(self) -> bool:
        return self.info.length is not None and self.offset == self.info.length

    def save(self, info: Info) -> None:
        """Write `info` in place of what is known."""
        write(self.folder / "info", msgspec.json.encode(info))
        self.info = info

    def set_length(self, length: int) -> None:
        """Say how many bytes it will have, where that was put off."""
        self.save(msgspec.structs.replace(self.info, length=length))

    @property
    def used(self) -> bool:
        """Whether it has become part of another upload; it is kept for a while, and does not count any more."""
        return (self.folder / "used").exists()

    def use(self, used: bool = True) -> None:
        """Say so, or take it back."""
        if used:
            (self.folder / "used").touch()
        else:
            (self.folder / "used").unlink(missing_ok=True)

    def doubt(self) -> None:
        """What comes now counts only after `trust`."""
        write(self.folder / "doubtful", b"%d" % self.offset)

    def trust(self) -> None:
        """What has come is right."""
        with suppress(FileNotFoundError):
            (self.folder / "doubtful").unlink()

    def _settle_doubts(self) -> None:
        try:
            sure = int((self.folder / "doubtful").read_bytes())
        except FileNotFoundError:
            return
        os.truncate(self.data, sure)
        self.trust()

    def publish(self) -> Published | None:
        """Make a whole upload a file; None where there is nothing to publish. May be called again after a crash.

        Raises:
            FileExistsError: nothing may stand under its name, and something does.
            OSError: a folder has that name, or worse.
        """
        if self.info.partial or self.published or not self.whole:
            return None
        info = self.info
        self._make_durable()
        return self._store.publish(self.data, name=info.name, exclusive=info.exclusive, sha256=None, user=info.user)

    def _make_durable(self) -> None:
        """Its last bytes may be those of a request that was broken off, by the client or a crash, before it could do that."""
        fd = os.open(self.data, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def remove(self) -> None:
        """Forget it; what is published stays."""
        (self.folder / "info").unlink(missing_ok=True)  # without it, it is no upload any more
        remove(self.folder)

    def release(self) -> None:
        self.lock.release()

    def listen(self, reactor: IReactorFDSet, rung: Callable[[], None]) -> Listening:
        """Call `rung` when another request wants it."""
        return Listening(self.lock, reactor, rung)
