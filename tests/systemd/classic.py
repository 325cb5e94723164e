"""The page's other arrangement, on the same machine: twistd as a classic daemon, without systemd's units."""

from ..support.daemon import wait_until
from .look import PROGRAM, processes
from .machine import Machine
from .page import commands
from .units import UNITS, ask

__all__ = ["classic"]

PIDFILE, LOG, FOLDER = "/run/portico-daemon/portico.pid", "/var/log/portico/portico.log", "/run/portico-daemon"


def classic(machine: Machine) -> str:
    """Started by the page's commands; with its log given to logrotate; and after its folder in /run was gone."""
    machine.says(f"systemctl disable --now portico-router.socket {' '.join(UNITS)} 2>&1")
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
