"""What the machine is, what it does, and what processes cost: from /proc."""

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["busy", "children", "cores", "cpu", "descriptors", "kind", "memory", "pinned", "placed", "tcp_memory", "tree"]

_TICK = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[str, str, str]:
    """Where router, backend and load run, as lists for taskset; all three empty where there is only one core."""
    return placed({each: _threads(each) for each in sorted(os.sched_getaffinity(0))})


def placed(threads: Mapping[int, str]) -> tuple[str, str, str]:
    """The same of logical cores, each with the name of the physical one that it is a thread of.

    Two threads of one core slow each other down, so the router has a physical core for itself where there is more than one.
    """
    if len(threads) == 1:
        return "", "", ""
    router, *others = threads
    backend, *rest = [each for each in others if threads[each] != threads[router]] or others
    apart = [each for each in rest if threads[each] != threads[backend]]
    return str(router), str(backend), str([*apart, *rest, backend][0])


def _threads(core: int) -> str:
    """All that run on the same physical core; only itself where the kernel does not say."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(core)


@contextlib.contextmanager
def pinned(core: str) -> Iterator[None]:
    """This process, which is the load, on its core."""
    before = os.sched_getaffinity(0)
    if core:
        os.sched_setaffinity(0, {int(core)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def children(pid: int) -> list[int]:
    """Those of all its threads."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            continue
    return found


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    return [pid, *(each for child in children(pid) for each in tree(child))]


def cpu(*pids: int) -> float:
    """Seconds of processor that processes have used so far, with their children, user's and kernel's; each counts once.

    From schedstat, which counts nanoseconds; utime and stime of /proc/PID/stat, the same time in ticks of 10 ms, where the
    kernel keeps none.
    """
    return sum(_cpu_of(each) for each in {each for pid in pids for each in tree(pid)})


def _cpu_of(pid: int) -> float:
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9
    except (OSError, IndexError, ValueError):
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory(pid: int) -> int:
    """Bytes resident, with the children's."""
    found = 0
    for each in tree(pid):
        try:
            found += int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except OSError:
            continue
    return found * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Open ones, with the children's."""
    return sum(len(list(Path(f"/proc/{each}/fd").iterdir())) for each in tree(pid))


def busy() -> float:
    """Seconds of processor that all on this machine have used, over all cores."""
    fields = [int(each) for each in Path("/proc/stat").read_text().partition("\n")[0].split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / _TICK


def tcp_memory() -> int:
    """Bytes that the kernel has in TCP buffers, on the whole machine."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def kind() -> dict[str, str | int]:
    """What one has to know of the machine to read its figures."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    virtual = any(line.startswith("flags") and " hypervisor" in line for line in lines)
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / (1 << 30)),
        "virtual": "virtual machine" if virtual else "no virtual machine",
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
    }
