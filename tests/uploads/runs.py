"""What has to be shown of uploads: nothing is ever half there, a full disk does no harm, memory stays flat."""

import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from ..resumes.runs import make_file, sha256_of
from ..resumes.stage import Stage
from .ways import WAYS, Broken

__all__ = ["Kills", "full_disk", "kill_at_random", "left_over", "memory"]

MIB = 1 << 20


class Kills:
    """What came of all the kills."""

    def __init__(self) -> None:
        self.uploads = self.killed_midway = self.resumed = 0
        self.wrong: list[str] = []

    def __str__(self) -> str:
        text = f"{self.uploads} uploads, each killed at a random moment; {self.killed_midway} of them before their answer, "
        text += f"{self.resumed} resumed behind their first byte"
        return "\n".join([text, *(f"FAILED: {wrong}" for wrong in self.wrong)])


def kill_at_random(stage: Stage, folder: Path, count: int, size: int, spool: Path | None, seed: int = 6) -> Kills:
    """Upload `count` files in all ways; kill the replica (`kill -9`) at a random moment of each, and go on with another one."""
    found, chance = Kills(), random.Random(seed)
    digest = make_file(folder / "source", size)
    took = {way: _seconds_of(stage, way, folder / "source") for way in WAYS}
    for number in range(count):
        way = list(WAYS)[number % len(WAYS)]
        _kill_one(stage, way, folder / "source", digest, f"{number}.bin", chance.uniform(0, took[way] * 1.1), found)
    if spool is not None:
        _check_events(spool, [f"{number}.bin" for number in range(count)], found)
    left = left_over(stage.root)
    if left:
        found.wrong.append(f"left over: {left}")
    return found


def _seconds_of(stage: Stage, way: str, source: Path) -> float:
    began = time.monotonic()
    WAYS[way](stage.port, source, f"measure-{way}", {})
    return time.monotonic() - began


def _kill_one(stage: Stage, way: str, source: Path, digest: str, name: str, moment: float, found: Kills) -> None:
    old = b"old" * 1000 if moment * 1e6 % 2 < 1 else None  # every second time something stands there already
    if old is not None:
        (stage.root / name).write_bytes(old)
    state: dict[str, str] = {}
    broken: list[Broken] = []
    thread = threading.Thread(target=_try, args=(stage.port, way, source, name, state, broken))
    thread.start()
    time.sleep(moment)
    stage.kill()
    thread.join(60)
    found.uploads += 1
    found.killed_midway += bool(broken)
    path = stage.root / name
    whole = path.exists() and path.stat().st_size == source.stat().st_size and sha256_of(path) == digest
    if not whole and (path.read_bytes() if path.exists() else None) != old:
        found.wrong.append(f"{name} by {way}: neither the old file nor the new one")
    if not whole and not broken:
        found.wrong.append(f"{name} by {way}: the client was told that it is there")
    stage.scale(1)
    stage.wait(1)
    _go_on(stage, way, source, name, state, found)
    if sha256_of(path) != digest:
        found.wrong.append(f"{name} by {way}: wrong when it was finished")


def _try(port: int, way: str, source: Path, name: str, state: dict[str, str], broken: list[Broken]) -> None:
    try:
        WAYS[way](port, source, name, state)
    except Broken as error:
        broken.append(error)


def _go_on(stage: Stage, way: str, source: Path, name: str, state: dict[str, str], found: Kills) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            WAYS[way](stage.port, source, name, state)
        except Broken:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            found.resumed += int(state.get("resumed", "0")) > 0
            return


def _check_events(spool: Path, names: list[str], found: Kills) -> None:
    """Each name is told of at least once."""
    deadline, missing = time.monotonic() + 90, set(names)
    while missing and time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            missing -= {json.loads(line)["name"] for line in spool.read_text().splitlines()}
        time.sleep(0.2)
    if missing:
        found.wrong.append(f"no event for {sorted(missing)}")


def left_over(root: Path) -> list[str]:
    """What is in the making although nobody is at it.

    Parts younger than two minutes are the janitor's still, and so are resumable uploads without a byte: their replica was
    killed before it could say where they are.
    """
    parts = [path for path in root.glob(".parts/*.part") if time.time() - path.stat().st_mtime > 120]
    begun = [path for path in root.glob(".tus/*/data") if path.stat().st_size]
    return [str(path) for path in (*parts, *begun)]


# -- a full disk


def full_disk(stage: Stage, folder: Path, size: int) -> list[str]:
    """`stage` lies on a file system of `size` bytes; returns what was wrong."""
    wrong: list[str] = []
    digest = make_file(folder / "half", size // 2)
    make_file(folder / "more", size * 2)
    free_before = _free(stage.root)
    for way in WAYS:
        with suppress(Broken):
            WAYS[way](stage.port, folder / "more", f"more-{way}", {})
            wrong.append(f"{way}: more than there is room for was taken")
    answer = _chunked(stage.port, folder / "more")
    if b" 507 " not in answer:
        wrong.append(f"a chunked body that does not fit: {answer!r}")
    _wait_until(lambda: _files(stage.root) == [], wrong, f"left over: {_files(stage.root)}")
    _wait_until(lambda: free_before - _free(stage.root) < MIB, wrong, "space was not given back")
    if wrong:
        return wrong
    ballast = stage.root.parent / "ballast"
    state: dict[str, str] = {}
    make_file(ballast, size * 3 // 4)
    with suppress(Broken):
        WAYS["tus"](stage.port, folder / "half", "half", state)
        wrong.append("tus: half of a file system went into a quarter of it")
    ballast.unlink()
    WAYS["tus"](stage.port, folder / "half", "half", state)
    if sha256_of(stage.root / "half") != digest:
        wrong.append("tus: wrong when there was space again")
    (stage.root / "half").unlink()
    for way in WAYS:
        WAYS[way](stage.port, folder / "half", "again", {})
        if sha256_of(stage.root / "again") != digest:
            wrong.append(f"{way}: wrong when there was space again")
        (stage.root / "again").unlink()
    return wrong


def _chunked(port: int, source: Path) -> bytes:
    command = ["curl", "-sSi", "-H", "Transfer-Encoding: chunked", "-H", "Expect:", "-T", str(source)]
    done = subprocess.run([*command, f"http://127.0.0.1:{port}/uploads/chunked"], capture_output=True, timeout=60, check=False)
    return done.stdout


def _free(root: Path) -> int:
    found = os.statvfs(root)
    return found.f_bavail * found.f_frsize


def _files(root: Path) -> list[str]:
    return [str(path) for path in (*root.glob("*"), *root.glob(".parts/*.part")) if path.is_file()]


def _wait_until(condition: Callable[[], bool], wrong: list[str], words: str) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        if time.monotonic() > deadline:
            wrong.append(words)
            return
        time.sleep(0.05)


# -- memory


def memory(stage: Stage, folder: Path, size: int, count: int) -> dict[str, int]:
    """Bytes of memory that the replica has had beyond those of an idle one: for one file of `size` by PUT and by form, and for
    `count` at once that are together as large."""
    make_file(folder / "small", MIB)
    make_file(folder / "large", size)
    make_file(folder / "part", size // count)
    found: dict[str, int] = {}
    for way in ("put", "form", f"{count} at once"):
        stage.scale(0)
        stage.scale(1)
        stage.wait(1)
        for warm in ("put", "form"):
            WAYS[warm](stage.port, folder / "small", "small", {})
        idle = stage.peak()
        if way in WAYS:
            WAYS[way](stage.port, folder / "large", "large", {})
        else:
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(lambda at: WAYS["put"](stage.port, folder / "part", f"part{at}", {}), range(count)))
        found[way] = stage.peak() - idle
        for path in stage.root.glob("*"):
            if path.is_file():
                path.unlink()
    return found
