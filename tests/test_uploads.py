"""Short versions of `python -m tests.uploads`: kills at random moments, and a full disk."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from .resumes.stage import stage
from .support.raw import RawConnection
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


@pytest.mark.parametrize("folder", [None, "/dev/shm"], ids=["disk", "memory"])
def test_one_connection_by_every_way_and_back_to_the_router(folder: str | None) -> None:
    def put(name: str, body: bytes, more: str = "") -> bytes:
        return f"PUT /uploads/{name} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body

    small, large = b"small" * 100, b"large" * 300_000
    with (
        tempfile.TemporaryDirectory(prefix="uploads-") as name,
        tempfile.TemporaryDirectory(dir=folder) as root,
        stage(Path(name), Path(root) / "root") as made,
        RawConnection("127.0.0.1", made.port) as connection,
    ):
        for request in (put("a", small), put("b", large), put("c", small, "If-None-Match: *\r\n"), put("d", small)):
            connection.send(request)
            assert connection.response().status == 201
        connection.send(put("a", large) + put("b", small) + put("e", small))
        assert [connection.response().status for _ in range(3)] == [200, 200, 201]
        assert connection.get("/uploads/a").body == large
        connection.send(put("f", small) + b"GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [connection.response().status for _ in range(2)] == [201, 404], "the second is the router's answer"
        found = {path.name: path.read_bytes() for path in made.root.iterdir() if path.is_file()}
        assert found == {"a": large, "b": small, "c": small, "d": small, "e": small, "f": small}
        assert not list(made.root.glob(".parts/*"))


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
