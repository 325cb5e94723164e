"""A twistd command line, understood: who the daemon will be, and where its things will lie.

The command line is parsed by twistd's own options, so what is checked is what will be started.
"""

import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.python import usage
from twisted.scripts._twistd_unix import ServerOptions

from ..config import BadConfig, Config, load
from .options import KeeperOptions, LogOptions, PorticoOptions, RouterOptions, ServiceOptions

__all__ = ["BadCommand", "Plan"]


class BadCommand(ValueError):
    """This is no command line of twistd's; the text says why."""


class _Raw(ServerOptions):
    """Remembers paths as they were given; twistd makes one of them absolute."""

    def postOptions(self) -> None:
        self.given = {key: self[key] for key in ("logfile", "pidfile", "rundir", "chroot")}
        super().postOptions()


class Plan:
    """What will run, as whom, and where."""

    def __init__(self, command: Sequence[str], folder: Path | None = None) -> None:
        """`command` begins with `twistd`; `folder` is the one where it is started, this process's unless given.

        Raises:
            BadCommand: twistd would not understand it.
        """
        self.folder = folder or Path.cwd()
        words = list(command)
        if words and Path(words[0]).name == "twistd":
            words = words[1:]
        if not words:
            raise BadCommand("expected the command that starts a daemon")
        twistd = self.twistd = _Raw()
        try:
            twistd.parseOptions(words)
        except (usage.UsageError, KeyError) as error:
            raise BadCommand(str(error)) from None
        except SystemExit:
            raise BadCommand("expected the command that starts a daemon") from None
        part = getattr(twistd, "subOptions", None)
        self.part: LogOptions | None = part if isinstance(part, LogOptions) else None
        """Portico's own options; None: twistd starts something else."""
        self.daemonises = not twistd["nodaemon"]
        self.euid = bool(twistd["euid"])
        self.uid: int | None = twistd["uid"]
        self.gid: int | None = twistd["gid"]
        if self.uid is not None and self.gid is None:
            self.gid = _first_group(self.uid)
        self.jail = None if twistd["chroot"] is None else self._absolute(twistd["chroot"])
        self.rundir = "/" if self.jail is not None and twistd["rundir"] == "." else str(twistd["rundir"])
        self.pidfile = None if not twistd["pidfile"] else self._absolute(twistd.given["pidfile"])
        self.logfile = self._log(twistd["logfile"])
        self.own_log = self.part is not None and self.part["log"] != "twistd" and not twistd["syslog"] and not twistd["logger"]
        """Whether the log file is one of Portico's own (`portico.daemon.logfile`)."""
        self.problem: str | None = None
        """What is wrong with the configuration."""
        self.config = self._config()

    def _absolute(self, path: Any) -> Path:
        return Path(os.path.normpath(self.folder / path))

    def running(self, path: Any) -> Path:
        """What the daemon finds by this path, which it uses in its run folder."""
        return Path(os.path.normpath((Path("/") if self.jail is not None else self.folder) / self.rundir / path))

    def _log(self, given: Any) -> Path | None:
        if self.twistd["syslog"] or self.twistd["logger"] or given == "-":
            return None
        if not given:
            return self.folder / "twistd.log" if self.daemonises else None
        return self._absolute(given)

    def _config(self) -> Config | None:
        file = self.config_file
        if file is None:
            return None
        try:
            return load(file)
        except BadConfig as error:
            self.problem = str(error)
            return None

    @property
    def config_file(self) -> Path | None:
        """The router's configuration."""
        if self.part is None or isinstance(self.part, ServiceOptions):
            return None
        return self._absolute(self.part["config"])

    @property
    def state(self) -> Path | None:
        """Where things are kept."""
        if isinstance(self.part, PorticoOptions):
            return self._absolute(self.part["state"])
        if isinstance(self.part, ServiceOptions):
            return Path(self.part.environment["PORTICO_STATE"])
        return None

    @property
    def keeper(self) -> str | None:
        """Where the keeper is, or is looked for."""
        if isinstance(self.part, KeeperOptions):
            return str(self.part["address"])
        return self.part["keeper"] if isinstance(self.part, RouterOptions) else None

    @property
    def binds(self) -> bool:
        """Whether it takes the ports of its configuration itself."""
        return isinstance(self.part, (PorticoOptions, KeeperOptions)) or (
            isinstance(self.part, RouterOptions) and self.keeper is None
        )

    @property
    def user(self) -> int:
        """As whom it will run: the effective number."""
        return os.geteuid() if self.uid is None else self.uid

    @property
    def group(self) -> int:
        """The same for the group."""
        return os.getegid() if self.gid is None else self.gid

    @property
    def groups(self) -> list[int]:
        """All groups that it will have, as initgroups(3) finds them."""
        if self.uid is None:
            return [self.group, *os.getgroups()]
        try:
            return os.getgrouplist(pwd.getpwuid(self.uid).pw_name, self.group)
        except KeyError:
            return [self.group]


def _first_group(uid: int) -> int | None:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return None
