"""A Debian whose first process is a real systemd, in a privileged container: made, asked, started anew, removed."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..support.daemon import wait_until
from ..support.tree import ROOT

__all__ = ["Failed", "Machine", "machine"]

PACKAGES = "systemd,systemd-sysv,python3,python3-venv,ca-certificates,curl,procps,logrotate"
"""What a small server has; the units' installation itself needs python3-venv."""
CERTIFICATES = Path("/usr/local/share/ca-certificates")
"""Of this machine: behind a proxy that looks into TLS nothing could be installed without them."""
BUILD, START, COMMAND = 900.0, 90.0, 300.0
"""Seconds that the image, a start of the system, and a command in it may take."""
CLONE = "/root/portico"


class Failed(AssertionError):
    """A command in the machine has failed; the text has what it printed."""


class Machine:
    """One."""

    def __init__(self, name: str, image: str) -> None:
        self.name, self.image = name, image

    # -- the image and the container

    def build(self, suite: str) -> None:
        """The image, from Debian's packages. As root; needs mmdebstrap."""
        with tempfile.TemporaryDirectory() as folder:
            hooks = [f"--customize-hook=copy-in {CERTIFICATES} {CERTIFICATES.parent}"] if CERTIFICATES.is_dir() else []
            hooks.append('--customize-hook=chroot "$1" update-ca-certificates >/dev/null')
            root = f"{folder}/root.tar"
            _run("mmdebstrap", "-q", "--variant=minbase", f"--include={PACKAGES}", *hooks, suite, root, seconds=BUILD)
            _run("docker", "import", "-c", 'CMD ["/sbin/init"]', "-c", "ENV container=docker",
                 "-c", "STOPSIGNAL SIGRTMIN+3", root, self.image, seconds=BUILD)  # fmt: skip

    def start(self) -> None:
        """The container; returns when systemd has started everything."""
        folders = [word for folder in ("/run", "/run/lock", "/tmp") for word in ("--tmpfs", folder)]
        _run("docker", "run", "--detach", "--privileged", "--cgroupns=private", *folders, "--name", self.name, self.image)
        self._is_up()

    def reboot(self) -> None:
        """As a machine's: every process ends, /run and /tmp are empty afterwards."""
        _run("docker", "restart", "--time", "120", self.name, seconds=COMMAND)
        self._is_up()

    def _is_up(self) -> None:
        wait_until(lambda: self.says("systemctl is-system-running || :") in ("running", "degraded"), seconds=START)

    def remove(self, *, image: bool) -> None:
        """The container, and the image unless it is to be kept."""
        _run("docker", "rm", "--force", "--volumes", self.name)
        if image:
            _run("docker", "rmi", "--force", self.image)

    @property
    def address(self) -> str:
        """Where its ports are; it may be another one after a reboot."""
        return _run("docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name).strip()

    # -- commands in it

    def says(self, script: str, seconds: float = COMMAND) -> str:
        """What a shell script prints, run as root in the clone's folder, or the root folder before there is one.

        Raises:
            Failed: it has failed.
        """
        return _run(
            "docker",
            "exec",
            "-i",
            self.name,
            "sh",
            "-c",
            f"cd {CLONE} 2>/dev/null || cd /\nexec sh -e",
            given=script,
            seconds=seconds,
        ).strip()

    def python(self, program: str, *words: str) -> Any:
        """What a program of Python's prints, as JSON."""
        said = _run("docker", "exec", "-i", self.name, "python3", "-", *words, given=program)
        return json.loads(said)

    def property(self, unit: str, name: str) -> str:
        """One of `systemctl show`."""
        return self.says(f"systemctl show --value --property={name} {unit}")

    def clone(self) -> None:
        """This tree, with what is not committed, as a clone in root's home."""
        files = subprocess.run(
            ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True, timeout=60
        ).stdout
        there = b"\0".join(name for name in files.split(b"\0") if name and (ROOT / name.decode()).exists())
        tar = ["tar", "-c", "--no-recursion", "--owner=0", "--group=0", "--null", "-T", "-"]
        packed = subprocess.run(tar, cwd=ROOT, input=there, capture_output=True, check=True, timeout=60).stdout
        script = f"mkdir -p {CLONE} && tar -x -C {CLONE}"
        subprocess.run(["docker", "exec", "-i", self.name, "sh", "-c", script], input=packed, check=True, timeout=60)


def _run(*words: str, given: str | None = None, seconds: float = COMMAND) -> str:
    done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise Failed(
            f"{' '.join(words[:6])}: status {done.returncode}\n{given or ''}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done.stdout


@contextmanager
def machine(name: str, suite: str, image: str | None = None) -> Iterator[Machine]:
    """One that runs, removed at the end with what it was made from; an `image` that is named stays."""
    made = Machine(name, image or name)
    try:
        if image is None:
            made.build(suite)
        made.start()
        yield made
    finally:
        made.remove(image=image is None)
