"""The programs that the suite meets Portico with, installed by `tests/programs`: a test whose program is missing says so."""

import os
import shutil
from typing import NoReturn

import pytest

__all__ = ["lacking", "program"]

PACKAGES = {
    "curl": "curl",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "chromium": "chromium",
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "strace": "strace",
    "systemd-analyze": "systemd",
    "pkill": "procps",
    "redis-server": "redis-server",
    "node": "nodejs",
}
"""Where Debian has them."""


def program(name: str) -> str:
    """The path of one of PACKAGES. Where it is missing the test is skipped, or fails if PORTICO_REQUIRE_PROGRAMS is 1."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is not None:
        return found
    return lacking(f"there is no {name} (on Debian: apt-get install {PACKAGES[name]})")


def lacking(problem: str) -> NoReturn:
    """Skip the test, or fail if PORTICO_REQUIRE_PROGRAMS is 1."""
    if os.environ.get("PORTICO_REQUIRE_PROGRAMS") == "1":
        pytest.fail(f"programs are required, and {problem}", pytrace=False)
    pytest.skip(problem)
