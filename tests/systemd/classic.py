"""The page's other arrangements, on the same machine: twistd's daemons, without systemd's units."""

from ..support.daemon import wait_until
from .look import PROGRAM, processes
from .machine import Machine
from .page import commands
from .units import PAGES, UNITS, ask

__all__ = ["apart", "classic"]

PIDFILE, LOG, FOLDER = "/run/portico-daemon/portico.pid", "/var/log/portico/portico.log", "/run/portico-daemon"


APART = ("router", "txws", "autobahn", "uploads", "static", "authsvc", "keeper")


def _cleared(machine: Machine) -> None:
    """Without the units, and without what they have kept: it is their users'."""
    machine.says(f"systemctl disable --now portico-router.socket portico-authsvc-too {' '.join(UNITS)} 2>&1 || :")
    machine.says("rm -rf /var/lib/portico /run/portico /etc/tmpfiles.d/portico*.conf")


def apart(machine: Machine) -> str:
    """Router, keeper and services as daemons of their own, started by the page's commands; one restarted as it says."""
    _cleared(machine)
    start = commands("Router and services as daemons of their own")[0]
    said = machine.says(start)
    assert said.count("it will work") == len(APART), said
    wait_until(lambda: ask(machine, "/static/a.txt") == 200)
    pids = {name: int(machine.says(f"cat /run/portico-{name}/portico.pid")) for name in APART}
    running = {each.pid: each for each in processes(machine.python(PROGRAM))}
    users = {name: running[pid].users for name, pid in pids.items()}
    assert users == {name: [machine.says(f"id -u portico-{name}")] for name in APART}, users
    head, _, lines = start.partition("\nkeeper=")
    again = next(line for line in lines.splitlines() if line.startswith("start static "))
    machine.says(f"kill {pids['static']}; while [ -e /run/portico-static/portico.pid ]; do sleep 0.1; done\n{head}\n{again}")
    statuses = {path: ask(machine, path) for path in PAGES}
    assert set(statuses.values()) == {200}, statuses
    for name in APART:
        machine.says(
            f"kill $(cat /run/portico-{name}/portico.pid); while [ -e /run/portico-{name}/portico.pid ]; do sleep 0.1; done"
        )
    return f"users {users}; static restarted; {statuses}"


def classic(machine: Machine) -> str:
    """Started by the page's commands; with its log given to logrotate; and after its folder in /run was gone."""
    _cleared(machine)
    start = commands("The start")[0]
    said = machine.says(start)
    assert "it will work" in said and "volatile" in said, said
    wait_until(lambda: ask(machine, "/") == 200)
    users = _users(machine)
    _end(machine)
    machine.says(f"rmdir {FOLDER}")  # as after a reboot
    machine.says("install -Dm644 deploy/tmpfiles.d/portico-daemon.conf /etc/tmpfiles.d/portico-daemon.conf")
    machine.says("systemd-tmpfiles --create portico-daemon.conf")
    machine.says("install -Dm644 deploy/logrotate.d/portico /etc/logrotate.d/portico")
    said = machine.says(start.replace("--state /var", "--log-reopen --state /var"))
    assert "it will work" in said and "volatile" not in said and "mkdir" not in said, said
    wait_until(lambda: ask(machine, "/") == 200)
    machine.says("logrotate --force /etc/logrotate.d/portico")
    ask(machine, "/static/after-the-rotation")
    wait_until(lambda: "after-the-rotation" in machine.says(f"cat {LOG}"), lambda: machine.says(f"tail {LOG} {LOG}.1"))
    owner = machine.says(f"stat -c '%U %G %a' {LOG}")
    assert owner == "portico portico 640", owner
    _end(machine)
    return f"users {users}; {said.splitlines()[-1]}; the log went to logrotate and was opened anew, {owner}"


def _users(machine: Machine) -> list[str]:
    pid = int(machine.says(f"cat {PIDFILE}"))
    (daemon,) = [each for each in processes(machine.python(PROGRAM)) if each.pid == pid]
    assert daemon.users == [machine.says("id -u portico")], daemon
    return daemon.users


def _end(machine: Machine) -> None:
    machine.says(f"kill $(cat {PIDFILE})")
    wait_until(lambda: machine.says(f"ls {FOLDER}") == "", lambda: machine.says(f"tail {LOG}"))
