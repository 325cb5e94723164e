"""Single steps of `portico daemon-setup`: each says what it would do, does nothing twice, and follows no link of others."""

import contextlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .findings import owner

__all__ = ["BadPlace", "Step", "device", "file", "folder", "link", "own", "text"]

SHARED = frozenset(
    Path("/", name)
    for name in (
        *("", "bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys"),
        *("tmp", "usr", "usr/bin", "usr/lib", "usr/local", "var", "var/cache", "var/lib", "var/log", "var/run", "var/spool"),
        "var/tmp",
    )
)
"""Folders of the whole system, which are never given to a daemon, nor made its jail, nor moved away for a link."""


class BadPlace(ValueError):
    """Something is in the way; the text says what."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is not yet as it should be."""

    says: str
    do: Callable[[], None]


def own(path: Path) -> None:
    """Nothing, if the path may be a daemon's own.

    Raises:
        BadPlace: it is a folder of the system, by whichever name: `/run` is `/var/run`, too, and `//run`.
    """
    found = None
    with contextlib.suppress(OSError):
        found = path.stat()
    for each in SHARED:
        with contextlib.suppress(OSError):
            if path == each or (found is not None and os.path.samestat(found, each.stat())):
                raise BadPlace(f"{path} is a folder of the system: name one below it, of the daemon's own")


def _way(path: Path) -> None:
    """Nothing, if no link of somebody else's is on the way to the path.

    Raises:
        BadPlace: there is one, laid, say, by a daemon in a folder of its own: it leads where its owner wants.
    """
    for above in reversed(path.parents):
        with contextlib.suppress(OSError):
            found = above.lstat()
            if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
                raise BadPlace(f"{above} is a link of {owner(found.st_uid, found.st_gid, 0o777)}: it may lead anywhere")


def _giver(path: Path, found: os.stat_result, uid: int, take: bool) -> None:
    """Nothing, if what is there is root's or the daemon's user's already, or may be taken from whoever has it.

    Raises:
        BadPlace: it is somebody else's, say another program's, which would find it gone.
    """
    if not take and found.st_uid not in (0, os.geteuid(), uid):
        has = owner(found.st_uid, found.st_gid, found.st_mode)
        raise BadPlace(f"{path} is of another user, {has}: name another one, or say --take-over if it is to be given away")


def folder(path: Path, uid: int, gid: int, mode: int, *, shared: bool = False, take: bool = False) -> list[Step]:
    """A folder of that owner. One that is there keeps its mode, if its owner can use it.

    `shared`: only that it is there matters, whoever has it. `take`: even if it is a third user's.

    Raises:
        BadPlace: it is a folder of the system, or no folder, or behind somebody's link, or a third user's.
    """
    _way(path)
    if not shared:
        own(path)
    try:
        found = path.stat() if shared else path.lstat()
    except FileNotFoundError:
        above = [] if path.parent == path else folder(path.parent, 0, 0, 0o755, shared=True)

        def make() -> None:
            path.mkdir()
            _take(path, os.O_DIRECTORY, 0 if shared else uid, 0 if shared else gid, mode)

        return [*above, Step(f"mkdir {path}, {owner(0 if shared else uid, 0 if shared else gid, mode)}", make)]
    if not stat.S_ISDIR(found.st_mode):
        raise BadPlace(f"{path} is no folder")
    if shared:
        return []
    if found.st_mode & stat.S_ISVTX:
        raise BadPlace(f"{path} is a sticky folder, which many use: name one of the daemon's own")
    enough = found.st_mode & 0o2700 == mode & 0o2700
    if (found.st_uid, found.st_gid) == (uid, gid) and enough:
        return []
    _giver(path, found, uid, take)
    wanted = mode if not enough else stat.S_IMODE(found.st_mode)
    was = owner(found.st_uid, found.st_gid, found.st_mode)
    return [Step(f"chown {path}, {was} -> {owner(uid, gid, wanted)}", lambda: _take(path, os.O_DIRECTORY, uid, gid, wanted))]


def file(path: Path, uid: int, gid: int, mode: int, *, take: bool = False) -> list[Step]:
    """An empty file of that owner, or the one that is there, given to it; a third user's if `take` says so.

    Raises:
        BadPlace: it is no plain file, or has a second name, or is a third user's.
    """
    _way(path)
    try:
        found = path.lstat()
    except FileNotFoundError:

        def make() -> None:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
            _take(path, 0, uid, gid, mode)

        return [Step(f"make {path}, {owner(uid, gid, mode)}", make)]
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise BadPlace(f"{path} is no plain file with one name")
    if (found.st_uid, found.st_gid) == (uid, gid) and found.st_mode & 0o600 == 0o600:
        return []
    _giver(path, found, uid, take)
    was = owner(found.st_uid, found.st_gid, found.st_mode)
    return [Step(f"chown {path}, {was} -> {owner(uid, gid, mode)}", lambda: _take(path, 0, uid, gid, mode))]


def _take(path: Path, flags: int, uid: int, gid: int, mode: int) -> None:
    """By its descriptor: what was looked at is what is given away."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_nlink != 1:
            raise BadPlace(f"{path} has a second name")
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def device(path: Path, major: int, minor: int) -> list[Step]:
    """A character device for everybody."""
    try:
        found = path.lstat()
    except FileNotFoundError:

        def make() -> None:
            before = os.umask(0)
            try:
                os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            finally:
                os.umask(before)

        return [*folder(path.parent, 0, 0, 0o755, shared=True), Step(f"mknod {path} c {major} {minor}", make)]
    if not stat.S_ISCHR(found.st_mode) or found.st_rdev != os.makedev(major, minor):
        raise BadPlace(f"{path} is not the device {major}:{minor}")
    return []


def link(path: Path, to: Path) -> list[Step]:
    """A symbolic link; an empty folder in its place makes room.

    Raises:
        BadPlace: something else is there, or a folder of the system, empty or not.
    """
    if path.is_symlink():
        if path.readlink() == to:
            return []
        raise BadPlace(f"{path} is a link to {path.readlink()}, not to {to}")
    own(path)
    if path.is_dir() and not any(path.iterdir()):
        return [Step(f"rmdir {path}", path.rmdir), Step(f"ln -s {to} {path}", lambda: path.symlink_to(to))]
    if path.exists():
        raise BadPlace(f"{path} is there already: the jail's {to} is to have this name outside")
    return [*folder(path.parent, 0, 0, 0o755, shared=True), Step(f"ln -s {to} {path}", lambda: path.symlink_to(to))]


def text(path: Path, content: bytes, mode: int = 0o644, owners: tuple[int, int] = (0, 0)) -> list[Step]:
    """A file with this content, owner and mode, made anew where it differs."""
    _way(path)
    if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
        found = path.stat()
        if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (*owners, mode):
            return []

    def write() -> None:
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            os.fchown(descriptor, *owners)
            os.fchmod(descriptor, mode)
        fresh.replace(path)

    return [*folder(path.parent, 0, 0, 0o755, shared=True), Step(f"write {path}, {len(content)} bytes", write)]
