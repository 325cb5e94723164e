"""Makes the daemons from their options: what twistd's plugins and `daemon/portico.tac` call."""

import math
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from svckit.descriptors import raise_limit
from svckit.entry import NoSuchService
from svckit.reactors import Reactor
from svckit.settings import BadOptions
from twisted.application.service import Application
from twisted.python import usage

from ..config import BadConfig, Config, Handoff, load
from .logs import open_log
from .notify import Notifier
from .options import KeeperOptions, LogOptions, PorticoOptions, RouterOptions, ServiceOptions
from .parts import KeeperPart, Part, RouterPart, ServicePart
from .ports import passed
from .preload import preload
from .service import Daemon, Place, numbers

__all__ = ["application", "in_process", "make"]


def make(options: LogOptions) -> Daemon:
    """The daemon that these options describe; ends the process with the reason if it cannot be made."""
    from twisted.internet import reactor as _reactor

    reactor = cast(Reactor, _reactor)
    raise_limit()
    twistd: Mapping[str, Any] = options.parent or {}
    try:
        _look_at_pidfile(twistd)
        name, part = _part(options, reactor)
        log = _log(options, twistd, service=name)
    except (BadConfig, BadOptions, NoSuchService, OSError, ValueError) as error:
        sys.exit(f"portico: {error}")
    jail, logfile = twistd.get("chroot"), twistd.get("logfile")
    place = Place(
        os.path.abspath(logfile) if logfile and logfile != "-" else None,  # noqa: PTH100
        twistd.get("pidfile") or None,
        jail and os.path.abspath(jail),  # noqa: PTH100
    )
    return Daemon(part, log, place, Notifier(reactor), reactor)


def _look_at_pidfile(twistd: Mapping[str, Any]) -> None:
    """twistd writes through a link as root, which the folder's owner, the daemon's user, may have laid."""
    pidfile = twistd.get("pidfile")
    if not pidfile or os.geteuid():
        return
    if Path(f"{twistd.get('chroot') or ''}{os.path.abspath(pidfile)}").is_symlink():  # noqa: PTH100
        raise OSError(f"the PID file {pidfile} is a symbolic link, which root does not follow")


def _log(options: LogOptions, twistd: Mapping[str, Any], **always: str) -> Any:
    logfile = twistd.get("logfile")
    form = "twistd" if twistd.get("syslog") or twistd.get("logger") else options["log"]
    if not logfile and not twistd.get("nodaemon"):
        logfile = "twistd.log"  # as twistd calls it
    path = None if not logfile or logfile == "-" else logfile
    owner = numbers(twistd.get("uid"), twistd.get("gid"))
    return open_log(form, path, options.rotation, bool(options["log-reopen"]), owner, **always)


def _part(options: LogOptions, reactor: Reactor) -> tuple[str, Part]:
    if isinstance(options, ServiceOptions):
        what = options["what"] or options["name"]
        part = ServicePart(what, options["name"], options.environment, reactor)
        preload([what])
        return options["name"], part
    file = options.path("config")
    assert file is not None
    read = partial(load, file)
    config = read()
    if isinstance(options, KeeperOptions):
        uid = options["router-uid"]
        uids = frozenset() if uid is None else frozenset((uid,))
        keep = math.inf if options["keep"] is None else options["keep"]
        return "keeper", KeeperPart(options["address"], [each.address for each in config.listeners], uids, keep, reactor)
    state = options.path("state") if isinstance(options, PorticoOptions) else None
    keeper = options["keeper"] if isinstance(options, RouterOptions) else None
    preload(in_process(config) if state is not None else ())
    return "router", RouterPart(config, read, state, keeper, passed(), reactor)


def in_process(config: Config) -> list[str]:
    """The names of the services that run in the router's process, if any do."""
    return [*(name for name, each in config.services.items() if isinstance(each, Handoff)), *config.in_process.also]


def application(environment: Mapping[str, str] = os.environ) -> Any:
    """For a TAC file: `twistd portico` with the options of PORTICO_DAEMON, a command line; twistd's are found in its own."""
    import shlex

    from twisted.scripts._twistd_unix import ServerOptions

    options = PorticoOptions()
    twistd = ServerOptions()
    try:
        options.parseOptions(shlex.split(environment.get("PORTICO_DAEMON", "")))
        if Path(sys.argv[0]).name == "twistd":
            twistd.parseOptions(sys.argv[1:])
    except usage.UsageError as error:
        sys.exit(f"portico: PORTICO_DAEMON: {error}")
    options.parent = twistd
    made = Application("portico")
    make(options).setServiceParent(made)
    return made
