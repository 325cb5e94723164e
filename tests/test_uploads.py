"""Short versions of `python -m tests.uploads`: kills at random moments, and a full disk."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from .resumes.stage import stage
from .uploads.runs import MIB, full_disk, kill_at_random
from .uploads.small import full_of_small, kill_among_small


def test_killed_at_random_moments(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="uploads-") as name, stage(Path(name), tmp_path / "root") as made:
        kills = kill_at_random(made, tmp_path, 3, 8 * MIB, None)
        assert kills.uploads == 3
        assert kills.wrong == [], str(kills)


@pytest.mark.parametrize("folder", [None, "/dev/shm"], ids=["disk", "memory"])
def test_killed_among_small_files(folder: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="uploads-") as name, tempfile.TemporaryDirectory(dir=folder) as root:
        with stage(Path(name), Path(root) / "root") as made:
            answered, wrong = kill_among_small(made, 1)
        assert answered and wrong == []


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        assert os.environ.get("PORTICO_REQUIRE_PROGRAMS") != "1", done.stderr
        pytest.skip(f"only root can mount a small file system: {done.stderr.strip()}")
    try:
        with tempfile.TemporaryDirectory(prefix="uploads-") as name, stage(Path(name), disk / "root", keep_free=0) as made:
            assert full_disk(made, tmp_path, 16 * MIB) == []
            assert full_of_small(made) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True, timeout=10)
