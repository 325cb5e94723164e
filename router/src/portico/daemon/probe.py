"""Ask the kernel as the daemon will be: another user, in another root folder, in a child process that answers and ends."""

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .plan import Plan

__all__ = ["Facts", "Probe"]


class Facts:
    """What a path leads to."""

    def __init__(self, uid: int, gid: int, mode: int, device: int) -> None:
        self.uid, self.gid, self.mode, self.device = uid, gid, mode, device

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid} {self.mode & 0o7777:04o}"


class Probe:
    """Questions about paths as the daemon names them: in its jail, if it has one."""

    def __init__(self, plan: Plan) -> None:
        self._jail = plan.jail
        self._ids: tuple[int, int, list[int]] | None = None
        if os.geteuid() == 0 and (plan.uid is not None or plan.gid is not None):
            self._ids = plan.user, plan.group, plan.groups

    def may(self, path: Path | str, how: int) -> bool:
        """Whether the daemon's user may use the path so (os.access)."""
        return bool(self._ask(lambda: os.access(path, how, effective_ids=True), True))

    def facts(self, path: Path | str) -> Facts | None:
        """What is there, links followed; None: nothing that can be seen by root."""

        def look() -> list[int]:
            found = os.stat(path)  # noqa: PTH116
            return [found.st_uid, found.st_gid, found.st_mode, found.st_rdev]

        answer = self._ask(look, False)
        return None if answer is None else Facts(*answer)

    def identity(self, path: Path | str) -> tuple[int, int] | None:
        """Device and inode."""

        def look() -> list[int]:
            found = os.stat(path)  # noqa: PTH116
            return [found.st_dev, found.st_ino]

        answer = self._ask(look, False)
        return None if answer is None else (answer[0], answer[1])

    def has_passwd_entry(self, uid: int) -> bool:
        """Whether the jail's, or the host's, user database knows the number."""
        if self._jail is None:
            return bool(self._ask(lambda: bool(pwd.getpwuid(uid)), False))

        def look() -> bool:  # by hand: the child has the host's name services, which the daemon will not have
            lines = Path("/etc/passwd").read_text().splitlines()
            return any(line.split(":")[2:3] == [str(uid)] for line in lines)

        return bool(self._ask(look, False))

    def opens(self, path: Path | str) -> bool:
        """Whether root can open it for reading and writing, in the jail."""

        def look() -> bool:
            os.close(os.open(path, os.O_RDWR | os.O_NOCTTY))
            return True

        return bool(self._ask(look, False))

    def _ask(self, question: Callable[[], Any], as_user: bool) -> Any:
        """The answer; None where it raised an error."""
        ids = self._ids if as_user else None
        if ids is None and (self._jail is None or os.geteuid()):
            try:
                return question()
            except (OSError, KeyError):
                return None
        here, there = os.pipe()
        child = os.fork()
        if child == 0:
            os._exit(_answer(question, there, self._jail, ids))
        os.close(there)
        with os.fdopen(here, "rb") as answers:
            said = answers.read()
        os.waitpid(child, 0)
        return json.loads(said) if said else None


def _answer(question: Callable[[], Any], to: int, jail: Path | None, ids: tuple[int, int, list[int]] | None) -> int:
    try:
        if jail is not None:
            os.chroot(jail)
            os.chdir("/")
        if ids is not None:
            os.setgroups(ids[2])
            os.setgid(ids[1])
            os.setuid(ids[0])
        os.write(to, json.dumps(question()).encode())
    except BaseException:
        return 1
    return 0
