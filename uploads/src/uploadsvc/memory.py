"""Whether files lie in memory: then nothing waits for a device, and fsync has nothing to do."""

import os
from pathlib import Path

__all__ = ["in_memory"]

_KINDS = frozenset({"tmpfs", "ramfs"})


def in_memory(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether `folder` lies on a tmpfs or ramfs; no where that cannot be found out. `mounts` is as proc(5) has it."""
    try:
        device = folder.stat().st_dev
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    known = f"{os.major(device)}:{os.minor(device)}"
    return any(
        len(words := line.split(" - ", 1)) == 2 and words[0].split(" ")[2:3] == [known] and words[1].split(" ")[0] in _KINDS
        for line in lines
    )
