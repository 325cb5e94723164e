"""Which file systems lie in memory."""

import os
from pathlib import Path

import pytest
from uploadsvc.memory import in_memory


@pytest.mark.parametrize(("kind", "is_one"), [("tmpfs", True), ("ramfs", True), ("ext4", False), ("nfs4", False)])
def test_by_the_device_of_the_folder(tmp_path: Path, kind: str, is_one: bool) -> None:
    device = tmp_path.stat().st_dev
    ours, others = f"{os.major(device)}:{os.minor(device)}", f"{os.major(device)}:{os.minor(device) + 1}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"21 1 {others} / /a rw,relatime - tmpfs tmpfs rw\n"
        "a line without its parts\n"
        f"22 1 {ours} / /with\\040space rw,relatime shared:1 master:2 - {kind} /dev/x rw\n"
    )
    assert in_memory(tmp_path, mounts) is is_one


def test_what_cannot_be_found_out_is_a_disk(tmp_path: Path) -> None:
    assert not in_memory(tmp_path, tmp_path / "nothing")
    assert not in_memory(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    assert not in_memory(tmp_path, tmp_path / "empty")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no tmpfs at its usual place")
def test_this_machine_s() -> None:
    assert in_memory(Path("/dev/shm"))
    assert not in_memory(Path("/proc/self"))
