"""A root with everything around and in it that must not be served, and a client that asks for it."""

import gzip
import os
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .shapes import MARK

__all__ = ["Found", "make_root", "run"]

SERVED = (b"hello", b"<p>top", b"<p>sub", b"<p>docs", b"form")
"""What the files that are open to all begin with."""
_PAGE = b'<!doctype html>\n<html lang="en">'
_PACKED = b"\x1f\x8b"


@dataclass
class Found:
    """What became of the attempts."""

    statuses: Counter[int] = field(default_factory=Counter)
    escaped: list[bytes] = field(default_factory=list)
    failed: list[bytes] = field(default_factory=list)
    """Targets that were answered with 5xx other than 503, or not at all."""

    def __str__(self) -> str:
        counted = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        lines = [f"{self.statuses.total()} attempts ({counted}), {len(self.escaped)} got out, {len(self.failed)} failed"]
        return "\n".join([*lines, *(f"OUT: {one!r}" for one in self.escaped), *(f"FAILED: {one!r}" for one in self.failed)])


def make_root(folder: Path) -> tuple[Path, dict[str, str]]:
    """The root in `folder`, and the service's options as TOML values."""
    root, mark = folder / "root", MARK.decode()
    for name in ("sub/.git", "private", "docs"):
        (root / name).mkdir(parents=True)
    for name, text in {
        "hello.txt": "hello", "index.html": "<p>top", "sub/index.html": "<p>sub", "docs/index.html": "<p>docs",
        "form.css": "form",
        ".env": mark, "sub/.git/config": mark, "private/secret.txt": mark, "private/index.html": mark,
        "../outside.txt": mark, "../private.html": mark, "../root.html": mark,
    }.items():  # fmt: skip
        (root / name).write_text(text)
    (folder / "rootless").mkdir()
    (folder / "rootless/outside.txt").write_text(mark)
    for name, target in {
        "out": folder / "outside.txt", "way": folder, "loop": root / "loop", "pass": Path("/etc/passwd"),
        "inside": root / "private",
        "magic": Path("/proc/self/cwd"), "form.css.gz": folder / "outside.txt", "zero": Path("/dev/zero"),
    }.items():  # fmt: skip
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(root / "socket"))
    options = {"roots": f'"/docs/={root}/docs"', "clean": "true", "listing": "true", "fallback": '"/docs/"'}
    return root, options


def run(port: int, targets: Iterable[bytes]) -> Found:
    """Ask for each target, with and without a form, on as few connections as the answers allow."""
    found = Found()
    for at, target in enumerate(targets):
        coding = b"Accept-Encoding: gzip, br, zstd\r\n" if at % 2 else b""
        answer = _ask(port, b"GET %s HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n" % (target, coding))
        words = answer.split(b" ", 2)
        status = int(words[1]) if len(words) == 3 and words[1].isdigit() else 0
        found.statuses[status] += 1
        body = _unpacked(answer.partition(b"\r\n\r\n")[2])
        if any(mark in text for mark in (MARK, b"root:") for text in (answer, body)) or not _is_ours(status, body):
            found.escaped.append(target)
        if status == 0 or (status >= 500 and status != 503):
            found.failed.append(target)
    return found


def _unpacked(body: bytes) -> bytes:
    """The service's own pages come packed to those who accept it."""
    return gzip.decompress(body) if body.startswith(_PACKED) else body


def _is_ours(status: int, body: bytes) -> bool:
    """Whether a 200 is a file that is open to all, or a page of the service's own."""
    return status != 200 or body.startswith(SERVED) or body.startswith(_PAGE)


def _ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(request)
        answer = b""
        while data := client.recv(65536):
            answer += data
            if len(answer) > 1 << 20:
                break  # a device that never ends
    return answer
