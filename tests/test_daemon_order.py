"""The order in which twistd starts a daemon, as strace sees it, against the table in docs/daemon.md.

A Twisted that does it in another order, or has its lines elsewhere, is noticed here.
"""

import os
import re
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from .support.daemon import GID, NOBODY, Ground, wait_until
from .support.one_process import BIN
from .support.programs import program
from .support.site import free_port
from .support.tree import ROOT

pytestmark = pytest.mark.timeout(300)
"""Seconds; many processes are started, which takes its time where there is more to do."""

CALLS = "chroot,chdir,fork,vfork,clone,clone3,setsid,setuid,setgid,setgroups,umask,bind,unlink,openat,rename,write"
SEEN = {
    "checkPID": r'openat\(.*"{run}/d\.pid", O_RDONLY',
    "read the TAC file": r'openat\(.*"{folder}/order\.tac", O_RDONLY',
    "open the log": r'openat\(.*"{log}/d\.log", O_(RDWR|WRONLY)',
    "chroot": r'chroot\("{jail}"\)',
    "chdir": r'chdir\("/rundir"\)',
    "umask": r"umask\(027\)",
    "first fork": r"(clone|clone3|fork|vfork)\((?!.*CLONE_THREAD)",
    "setsid": r"setsid\(\)",
    "second fork": r"(clone|clone3|fork|vfork)\((?!.*CLONE_THREAD)",
    "write the PID file": r'openat\(.*"{run}/d\.pid", O_WRONLY\|O_CREAT',
    "privilegedStartService": r"bind\(.*sin_port=htons\({port}\)",
    "setgid": r"setgid\({gid}\)",
    "initgroups": r"setgroups\(",
    "setuid": r"setuid\({uid}\)",
    "startService": r'bind\(.*"{run}/as-user"',
    "tell the parent": r'write\(\d+, "0", 1',
    "rotate the log": r'rename\("{log}/d\.log", "{log}/d\.log\.1"\)',
    "stopService": r'unlink\("{run}/as-user"\)',
    "removePID": r'unlink\("{run}/d\.pid"\)',
}
UNFINISHED = " <unfinished ...>"
RESUMED = re.compile(r"\s*<\.\.\. \w+ resumed>")
TAC = """
import os, socket
from twisted.application import service
from twisted.internet import reactor
from twisted.internet.protocol import Factory

class Steps(service.Service):
    def privilegedStartService(self):
        self.port = reactor.listenTCP({port}, Factory(), interface="127.0.0.1")
    def startService(self):
        super().startService()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind("{run}/as-user")
    def stopService(self):
        os.unlink("{run}/as-user")

application = service.Application("order")
Steps().setServiceParent(application)
"""
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| `(\w+/\w+\.py):(\d+)` `([^`]+)` \| (root|the daemon's user) \|", re.MULTILINE)


def documented() -> list[tuple[str, str, int, str, str]]:
    """Name, file, line, what stands there, and as whom; in the table's order."""
    found = ROW.findall((ROOT / "docs/daemon.md").read_text())
    assert [int(row[0]) for row in found] == list(range(1, len(found) + 1))
    return [(row[1].strip(), row[2], int(row[3]), row[4], row[5]) for row in found]


def test_the_lines_that_the_page_names_are_those_of_the_pinned_twisted() -> None:
    spec = find_spec("twisted")
    assert spec is not None and spec.submodule_search_locations
    package = Path(next(iter(spec.submodule_search_locations)))
    for name, file, line, text, _ in documented():
        there = (package / file).read_text().splitlines()[line - 1]
        assert text in there, f"{name}: {file}:{line} is {there!r}"


def test_a_start_goes_by_the_documented_order(place: Ground) -> None:
    strace, port = program("strace"), free_port()
    folder, jail, trace = place.path, place.path / "jail", place.path / "trace"
    (folder / "order.tac").write_text(TAC.format(port=port, run=f"{folder}/run"))
    daemon = place.daemon(
        *("--uid", NOBODY, "--gid", GID, "--umask", "027", "--chroot", jail, "--rundir", "/rundir"),
        *("-y", folder / "order.tac"),
    )
    daemon.set_up()
    assert daemon.fails() == []
    daemon.pidfile.write_text("4194304")  # no process can have that number: the file is stale
    command: list[str | Path] = [
        strace,
        "-D",
        "-f",
        "--seccomp-bpf",
        "-s",
        "200",
        "-e",
        f"trace={CALLS}",
        "-o",
        trace,
        BIN / "twistd",
        *daemon.words,
    ]
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 0
    pid = int(daemon.pidfile.read_text())
    daemon.adopt(pid)
    daemon.signal(signal.SIGUSR1)
    wait_until(lambda: Path(f"{daemon.logfile}.1").exists(), lambda: daemon.log)
    daemon.stop()
    assert not daemon.pidfile.exists()
    names = {"run": f"{folder}/run", "log": f"{folder}/log", "folder": folder, "jail": jail, "port": port}
    wait_until(lambda: " +++ " in trace.read_text().splitlines()[-1], lambda: trace.read_text()[-2000:])
    expected = [name for name, *_ in documented()]
    assert expected == list(SEEN)
    assert order(trace.read_text(), {**names, "gid": GID, "uid": NOBODY}) == expected


def calls(trace: str) -> list[str]:
    """A line for each call, where it began: strace cuts one in two when another process does something meanwhile."""
    lines: list[str] = []
    begun: dict[str, int] = {}
    for line in trace.splitlines():
        pid, _, text = line.partition(" ")
        if text.endswith(UNFINISHED):
            begun[pid] = len(lines)
            line = line.removesuffix(UNFINISHED)
        elif (resumed := RESUMED.match(text)) is not None:
            lines[begun.pop(pid)] += text[resumed.end() :]
            continue
        lines.append(line)
    return lines


def test_a_call_that_strace_has_cut_in_two_is_one() -> None:
    begun, resumed = (
        "7 clone(flags=0 <unfinished ...>\n8 setsid( <unfinished ...>\n",
        "7 <... clone resumed>) = 8\n8 <... setsid resumed>) = 8\n",
    )
    assert calls(f"{begun}{resumed}8 umask(0) = 022\n") == ["7 clone(flags=0) = 8", "8 setsid() = 8", "8 umask(0) = 022"]


def order(trace: str, names: dict[str, object]) -> list[str]:
    """The steps that the trace shows, in its order: each is where it is seen first."""
    lines = [line for line in calls(trace) if " = -1 " not in line]
    at: dict[str, int] = {}
    for name, pattern in SEEN.items():
        for key, value in names.items():
            pattern = pattern.replace("{" + key + "}", re.escape(str(value)))
        find = re.compile(pattern).search
        # checkPID removes the stale file, Python itself asks for a umask and forks for its own reasons before
        after = {"umask": "chroot", "first fork": "chroot", "second fork": "first fork", "removePID": "stopService"}.get(name)
        begin = 0 if after is None else at[after] + 1
        found = next((index for index, line in enumerate(lines) if index >= begin and find(line)), None)
        assert found is not None, f"{name}: no {pattern}"
        at[name] = found
    return sorted(at, key=at.__getitem__)
