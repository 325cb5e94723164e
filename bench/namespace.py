"""A network of one's own for a run: loopback with plain congestion control, all ports free, nobody else's traffic.

Loopback obeys the machine's congestion control. BBR, the default of many, paces what it sends in steps of milliseconds, which
would be what is measured; so here it is reno, as it is known to all kernels.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["describe", "enter"]

_MARK = "PORTICO_BENCH_NETWORK"
_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")


def enter(module: str) -> None:
    """Run this program again in a private network, where that can be had; else go on in the machine's.

    Root may have one; others may where the kernel lets them be root in a user namespace.
    """
    if os.environ.get(_MARK) or shutil.which("unshare") is None:
        return
    for options in (["--net"], ["--user", "--map-root-user", "--net"]):
        tried = subprocess.run(["unshare", *options, "--", "ip", "link", "set", "lo", "up"], capture_output=True, timeout=20)  # noqa: S603, S607
        if tried.returncode == 0:
            os.environ[_MARK] = "private"
            again = [sys.executable, "-m", module, *sys.argv[1:]]
            prepare = f'ip link set lo up && {{ echo reno >{_CONTROL}; }} 2>/dev/null; exec "$@"'
            os.execvp("unshare", ["unshare", *options, "--", "sh", "-c", prepare, "sh", *again])  # noqa: S606, S607


def describe() -> str:
    """Which network this is."""
    try:
        control = _CONTROL.read_text().strip()
    except OSError:
        control = "unknown"
    where = "a private network namespace" if os.environ.get(_MARK) else "the loopback of the machine"
    return f"{where}, {control}"
