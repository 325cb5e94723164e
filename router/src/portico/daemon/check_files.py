"""Will the daemon's user find what the configuration names: ports, certificates, state, logins, folders of sockets?"""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from svckit.environment import folder_of

from ..config import Config, Handoff, address, admin_address
from ..keeper import listen, name_of
from ..kept import Kept
from .findings import Finding, owner
from .options import KeeperOptions, PorticoOptions, RouterOptions, ServiceOptions
from .plan import Plan
from .probe import Probe

__all__ = ["check_configuration", "check_ports", "check_service", "check_state", "in_process_options"]

READ_FOLDER, WRITE_FOLDER = os.R_OK | os.X_OK, os.R_OK | os.W_OK | os.X_OK
STORES = {"authsvc": ("users.sqlite3", "nonce.keys")}
"""Files that a service keeps in its state, where they say whether it can start."""
READ_OPTIONS, READ_FILES = ("root", "pages"), ("rules", "admin_password_file", "nonce_keys_file", "database_file")
"""Options of the services that name a folder, and a file, to read."""


def check_configuration(plan: Plan, probe: Probe) -> Iterator[Finding]:
    """The file itself, and what it names."""
    file = plan.config_file
    if plan.problem is not None:
        yield Finding("configuration", "--config", f"cannot be used: {plan.problem}", "portico check says the same", str(file))
    config = plan.config
    if config is None or file is None:
        return
    if not probe.may(file, os.R_OK):
        where = "in the jail" if plan.jail is not None else "for its user"
        what = f"cannot be read {where} when SIGHUP comes; a reload is refused"
        yield Finding("reload", "--config", what, "put it where the daemon can read it", str(file), fails=False)
    for listener in config.listeners if plan.binds or plan.keeper else ():
        for path in () if listener.tls is None else (listener.tls.certificate, listener.tls.key or listener.tls.certificate):
            yield from _readable("certificate", f"listener {listener.address}", path, plan, probe)
    if config.admin is not None and not isinstance(plan.part, KeeperOptions):
        place = admin_address(config.admin.address)
        if isinstance(place, Path) and not probe.may(place.parent, os.W_OK | os.X_OK):
            what = "the operators' socket cannot be made there; the daemon ends"
            yield Finding(
                "admin", "admin.address", what, "name a folder of the daemon's", str(place), _found(probe, place.parent)
            )
    if isinstance(plan.part, PorticoOptions):
        for name, options in in_process_options(config).items():
            yield from _options(name, options, plan, probe)
    if isinstance(plan.part, RouterOptions):
        for name, service in config.services.items():
            if isinstance(service, Handoff):
                yield from _sockets(name, Path(service.folder) if service.folder else folder_of(name), plan, probe)


def _sockets(name: str, folder: Path, plan: Plan, probe: Probe) -> Iterator[Finding]:
    """One that is not there yet comes with its service."""
    facts = probe.facts(folder)
    if facts is not None and not probe.may(folder, READ_FOLDER):
        what = "the router cannot see the sockets of its replicas, and answers 503"
        mend = f"give both users the same group, and the folder to it: chgrp {plan.group} {folder}"
        wanted = owner(facts.uid, plan.group, 0o2770)
        yield Finding("sockets", f"services.{name}", what, mend, str(folder), _found(probe, folder), wanted)


def in_process_options(config: Config) -> dict[str, Mapping[str, Any]]:
    """The options of the services that run in the router's process, by name."""
    found: dict[str, Mapping[str, Any]] = {
        name: service.options for name, service in config.services.items() if isinstance(service, Handoff)
    }
    return {**found, **{name: config.in_process.options.get(name, {}) for name in config.in_process.also}}


def _options(name: str, options: Mapping[str, Any], plan: Plan, probe: Probe) -> Iterator[Finding]:
    for key in (*READ_OPTIONS, *READ_FILES):
        path = options.get(key)
        if not isinstance(path, str) or not path or (key == "root" and name == "uploads"):
            continue
        yield from _readable("option", f"{name}: {key}", path, plan, probe)


def _readable(code: str, option: str, path: str, plan: Plan, probe: Probe) -> Iterator[Finding]:
    there = plan.running(path)
    facts = probe.facts(there)
    folder = facts is not None and stat.S_ISDIR(facts.mode)
    if facts is None or not probe.may(there, READ_FOLDER if folder else os.R_OK):
        where = " in the jail" if plan.jail is not None else ""
        what = f"is not there{where}" if facts is None else f"cannot be read{where} by the daemon's user"
        mend = "portico daemon-setup copies it" if plan.jail is not None else "give an absolute path that this user may read"
        wanted = owner(plan.user, plan.group, 0o755 if folder else 0o640)
        yield Finding(code, option, what, mend, str(there), _found(probe, there), wanted)


def check_ports(plan: Plan) -> Iterator[Finding]:
    """Whether they can be had now, or a keeper has them."""
    if plan.config is None:
        return
    wanted = [("listeners.address", address(each.address)) for each in plan.config.listeners] if plan.binds else []
    admin = None if plan.config.admin is None else admin_address(plan.config.admin.address)
    if isinstance(admin, tuple) and not isinstance(plan.part, KeeperOptions):
        wanted.append(("admin.address", admin))
    for option, at in wanted:
        try:
            listen(at).close()
        except OSError as error:
            mend = f"`ss -ltnp sport = :{at[1]}` says whose it is" if at[1] >= 1024 or not os.geteuid() else "start it as root"
            yield Finding("port", option, str(error.strerror), mend, name_of(at))
    if plan.keeper is not None and not plan.binds:
        try:
            Kept(plan.keeper, 0.0).close()
        except OSError as error:
            mend = "start twistd portico-keeper first"
            yield Finding("keeper", "--keeper", str(error.strerror or error), mend, plan.keeper, fails=False)


def check_state(plan: Plan, probe: Probe) -> Iterator[Finding]:
    """Where things are kept, and the store of logins in particular."""
    state = plan.state
    if state is None:
        return
    nearest = _nearest(state, probe)
    if not probe.may(nearest, WRITE_FOLDER if nearest == state else os.W_OK | os.X_OK):
        what = (
            "cannot be written by the daemon's user"
            if nearest == state
            else "is not there, and the daemon's user cannot make it"
        )
        mend = f"portico daemon-setup makes it, or: install -d -o {plan.user} -g {plan.group} -m 700 {state}"
        yield Finding("state", "--state", what, mend, str(state), _found(probe, nearest), owner(plan.user, plan.group, 0o700))
    for name, folder in _stores(plan, state):
        for file in STORES[name]:
            path = folder / file
            if (
                (probe.facts(path) or not probe.may(folder, os.X_OK))
                and probe.facts(folder)
                and not probe.may(path, os.R_OK | os.W_OK)
            ):
                what = f"{name} cannot use it, so the daemon ends: somebody else has made it"
                mend = f"chown -R {plan.user}:{plan.group} {folder}"
                yield Finding(
                    "store", "--state", what, mend, str(path), _found(probe, path), owner(plan.user, plan.group, 0o600)
                )


def _stores(plan: Plan, state: Path) -> Iterator[tuple[str, Path]]:
    if isinstance(plan.part, ServiceOptions):
        name = str(plan.part["what"] or plan.part["name"])
        if name in STORES:
            yield name, state
    elif plan.config is not None:
        for name in STORES:
            if name in plan.config.in_process.also or name in plan.config.services:
                yield name, state / name


def _nearest(path: Path, probe: Probe) -> Path:
    while probe.facts(path) is None and path != path.parent:
        path = path.parent
    return path


def check_service(plan: Plan, probe: Probe) -> Iterator[Finding]:
    """A daemon of its own: its folder of sockets, its options, the folder of authsvc's sockets; a keeper's folder."""
    if isinstance(plan.part, KeeperOptions) and not str(plan.keeper).startswith("@"):
        what, place = "its socket cannot be made there, and the keeper ends", plan.running(plan.keeper).parent
        yield from _writable(place, "--address", what, 0o755, plan, probe)
    if not isinstance(plan.part, ServiceOptions):
        return
    environment, name = plan.part.environment, str(plan.part["name"])
    service = str(plan.part["what"] or name)
    folder = Path(environment["PORTICO_RUN"]) / name
    if service not in STORES:
        yield from _writable(folder, "--run", "its socket cannot be made there, so no router finds it", 0o2770, plan, probe)
        facts = probe.facts(folder)
        if facts is not None and not facts.mode & stat.S_ISGID and not facts.mode & stat.S_IRWXO:
            wanted = owner(plan.user, plan.group, 0o2770)
            what = "its sockets get the daemon's own group; a router that is not in that group cannot connect"
            yield Finding(
                "sockets", "--run", what, f"chmod g+s {folder}", str(folder), _found(probe, folder), wanted, fails=False
            )
    elif "PORTICO_AUTH" in environment:
        yield from _writable(
            Path(environment["PORTICO_AUTH"]), "--auth", "its socket cannot be made there", 0o2770, plan, probe
        )
    yield from _options(service, plan.part.given, plan, probe)


def _writable(folder: Path, option: str, what: str, mode: int, plan: Plan, probe: Probe) -> Iterator[Finding]:
    if not probe.may(folder, WRITE_FOLDER):
        mend = f"portico daemon-setup makes it, or: install -d -o {plan.user} -g {plan.group} -m {mode:o} {folder}"
        wanted = owner(plan.user, plan.group, mode)
        yield Finding("sockets", option, what, mend, str(folder), _found(probe, folder), wanted)


def _found(probe: Probe, path: Path) -> str:
    facts = probe.facts(path)
    return "nothing" if facts is None else owner(facts.uid, facts.gid, facts.mode)
