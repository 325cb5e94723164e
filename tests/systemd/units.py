"""What the units promise, tried one by one. Each check returns what it saw, and fails where that is not what was promised."""

import json
import re
import socket
import time
from base64 import b64encode
from pathlib import Path

from ..support.daemon import wait_until
from ..support.raw import RawConnection
from ..support.tree import ROOT
from .look import PROGRAM, confined, of_root, processes
from .machine import Machine
from .page import scores

__all__ = [
    "PAGES",
    "SERVICES",
    "UNITS",
    "activated",
    "confinement",
    "down",
    "exposure",
    "first_password",
    "healthy",
    "reloaded",
    "started",
    "stopped",
    "watched",
]

UNITS = tuple(sorted(path.name for path in (ROOT / "deploy/systemd").glob("*.service")))
SERVICES = tuple(unit for unit in UNITS if unit != "portico-router.service")
PAGES = ("/", "/static/a.txt", "/uploads/")
WATCHDOG = 60.0
"""Seconds in which one that hangs must have been replaced: WatchdogSec=20, its end, and a start."""
LATE = 35.0
"""Seconds after which one says what took so long."""
QUICK = 5.0
"""Seconds in which one that hangs cannot have been."""


def first_password(machine: Machine) -> str:
    """Of `admin`, from the journal, as the page says."""
    for line in machine.says("journalctl --no-pager -o cat -u portico-authsvc").splitlines():
        if '"password":' in line:
            return str(json.loads(line)["password"])
    raise AssertionError("the journal has no first password")


def ask(machine: Machine, path: str, seconds: float = 60.0) -> int:
    """The status of an answer, on a connection of its own."""
    with RawConnection(machine.address, 80, seconds) as connection:
        return connection.get(path, Connection="close").status


def healthy(machine: Machine) -> str:
    """Every unit runs, none has failed, and the pages answer."""
    states = {unit: machine.property(unit, "ActiveState") for unit in (*UNITS, "portico-router.socket")}
    assert set(states.values()) == {"active"}, states
    failed = machine.says("systemctl --failed --no-legend --plain")
    assert not failed, failed
    statuses = {path: ask(machine, path) for path in PAGES}
    assert set(statuses.values()) == {200}, statuses
    return f"{len(states)} units active, none failed; {statuses}"


def started(machine: Machine) -> str:
    """Type=notify: systemd calls it started when it serves, and was told so by the process itself."""
    states = {unit: machine.says(f"systemctl show --property=Type,StatusText,Result {unit} | sort") for unit in UNITS}
    assert set(states.values()) == {"Result=success\nStatusText=serving\nType=notify"}, states
    machine.says("systemctl restart portico-static")
    began = time.monotonic()
    status = ask(machine, "/static/a.txt")
    assert status == 200
    return f"each says `serving`; a request right after a restart of static was answered in {time.monotonic() - began:.2f} s"


def exposure(machine: Machine) -> str:
    """`systemd-analyze` accepts the units as they are installed, and scores them as the page says."""
    said = machine.says("systemd-analyze verify --man=no /etc/systemd/system/portico-* 2>&1")
    assert not said, said
    version = machine.says("systemctl --version | head -n 1")
    found = {}
    for unit in UNITS:
        overall = re.search(
            r"Overall exposure level for \S+: (\d+\.\d)", machine.says(f"systemd-analyze security --no-pager {unit}")
        )
        assert overall is not None, unit
        found[unit] = overall[1]
    assert found == scores() or not version.startswith("systemd 252 "), (found, scores())
    return f"verified; {version}: {found}"


def confinement(machine: Machine) -> str:
    """No process of Portico's has root's number or a right of root's; services have no network, and none can write to /etc."""
    found = processes(machine.python(PROGRAM))
    gid = machine.says("getent group portico").split(":")[2]
    wrong = []
    for unit in UNITS:
        user, pid = machine.property(unit, "User"), machine.property(unit, "MainPID")
        wrong += confined(found, unit, machine.says(f"id -u {user}"), gid, network=unit not in SERVICES)
        inside = f"nsenter --target {pid} --mount"
        can = machine.says(
            f"{inside} touch /etc/x /opt/portico/x 2>&1 || :; {inside} ls -A /home /root 2>&1 || :; {inside} ls /dev || :"
        )
        if (
            can.count("Read-only file system") != 2
            or ".bashrc" in can
            or "portico\n" in can
            or re.search(r"^[sv]d[a-z]", can, re.M)
        ):
            wrong.append(f"{unit}: {can}")
    assert not wrong, "\n".join(wrong)
    root = of_root(found)
    assert not [each for each in root if "portico" in each], root
    threads = {each.unit: (each.users, each.threads) for each in found if each.unit in UNITS}
    return f"users and threads {threads}; root's: {root}"


def activated(machine: Machine) -> str:
    """The port is systemd's: without a router a connection is taken, starts one, and is answered."""
    machine.says("systemctl stop portico-router.service 2>&1")
    assert machine.property("portico-router.service", "ActiveState") == "inactive"
    began = time.monotonic()
    status = ask(machine, "/static/a.txt")
    assert (status, machine.property("portico-router.service", "ActiveState")) == (200, "active")
    return f"a request without a router was answered with {status} after {time.monotonic() - began:.1f} s"


def watched(machine: Machine) -> str:
    """WatchdogSec=: one that hangs is ended and replaced; nobody else is."""
    before = {unit: machine.property(unit, "MainPID") for unit in UNITS}
    machine.says(f"kill -STOP {' '.join(before.values())}")
    began, replaced = time.monotonic(), dict[str, float]()

    def look() -> bool:
        for unit, pid in before.items():
            if unit not in replaced and machine.property(unit, "MainPID") not in (pid, "0"):
                replaced[unit] = round(time.monotonic() - began, 1)
        return len(replaced) == len(before)

    wait_until(look, lambda: f"replaced: {replaced} of {before}", WATCHDOG)
    assert min(replaced.values()) > QUICK, replaced
    wait_until(lambda: {machine.property(unit, "ActiveState") for unit in UNITS} == {"active"}, seconds=WATCHDOG)
    journal = machine.says("journalctl --no-pager -o cat -u 'portico-*.service'")
    assert journal.count("Watchdog timeout") >= len(UNITS), journal[-3000:]
    assert ask(machine, "/static/a.txt") == 200
    late = [unit for unit, seconds in replaced.items() if seconds > LATE]
    more = (
        machine.says(f"journalctl --no-pager -o short-precise -u {late[0]} | grep 'systemd.1.:' | tail -n 12") if late else ""
    )
    return f"replaced after {replaced} s {more}"


def reloaded(machine: Machine) -> str:
    """`systemctl reload`: a new route holds, a bad file does not, and the process stays."""
    pid = machine.property("portico-router.service", "MainPID")
    file = "/etc/portico/portico.toml"
    machine.says(f"cp {file} /tmp/kept; sed -i 's#/static/#/files/#' {file}; systemctl reload portico-router")
    wait_until(lambda: ask(machine, "/static/a.txt") == 404)
    machine.says(f"echo 'no = sense' >> {file}; systemctl reload portico-router")
    wait_until(lambda: "the configuration in use stays" in machine.says("journalctl --no-pager -o cat -u portico-router"))
    refused = ask(machine, "/static/a.txt")
    machine.says(f"cp /tmp/kept {file}; systemctl reload portico-router")
    wait_until(lambda: ask(machine, "/static/a.txt") == 200)
    assert (refused, machine.property("portico-router.service", "MainPID")) == (404, pid)
    return "a route was changed, a bad file refused, and the first one is back; the process is the same"


def stopped(machine: Machine) -> str:
    """Each stops within TimeoutStopSec= by itself, though clients hold on to it."""
    login = f"Authorization: Basic {b64encode(f'admin:{first_password(machine)}'.encode()).decode()}\r\n"
    upload = f"PUT /uploads/never HTTP/1.1\r\nHost: h\r\n{login}Content-Length: 1000\r\n\r\n"
    shake = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    shake += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    asked = [f"GET /ws/{name}/echo HTTP/1.1\r\nHost: h\r\n{shake}\r\n" for name in ("autobahn", "txws")]
    asked += [upload, "GET /static/a.txt HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HT"]
    held = []
    for text in asked:
        sock = socket.create_connection((machine.address, 80), 20)
        sock.sendall(text.encode())
        held.append(sock)
    taken = {}
    limit = float(machine.property("portico-router.service", "TimeoutStopUSec").removesuffix("s"))
    for unit in UNITS:
        began = time.monotonic()
        machine.says(f"systemctl stop {unit} 2>&1")
        taken[unit] = round(time.monotonic() - began, 1)
        assert (machine.property(unit, "Result"), machine.property(unit, "ExecMainStatus")) == ("success", "0"), unit
    for sock in held:
        sock.close()
    machine.says(f"systemctl start {' '.join(UNITS)}")
    assert max(taken.values()) < limit, taken
    return f"seconds to stop, {limit:.0f} allowed: {taken}"


def down(machine: Machine) -> str:
    """A reboot: everything comes up again by itself, with its folders in /run, its logins and its uploads."""
    folders = "stat -c '%n %U %G %a' /run/portico /run/portico/*"
    before = machine.says(folders)
    machine.reboot()
    wait_until(lambda: {machine.property(unit, "ActiveState") for unit in UNITS} == {"active"}, seconds=60)
    after = machine.says(folders)
    assert after == before, f"{before}\n{after}"
    return f"{healthy(machine)}; folders {Path('/run/portico')} as before"
