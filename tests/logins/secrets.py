"""Looks for what must lie nowhere: a user's password and what is as good as it, in all that a deployment leaves behind."""

import contextlib
import gzip
import io
import json
import tarfile
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

from docker.models.containers import Container

from ..support.compose import Compose, log_of
from .clients import User
from .refusals import HASHES, make_ha1

__all__ = ["memory_of", "needles", "search_images", "search_inspect", "search_logs", "search_memory", "search_process_lists"]

BLOCK = 1 << 22
Needles = dict[str, bytes]


def needles(user: User) -> Needles:
    """What to look for, by name: the password, the header by Basic, and H(A1) in both spellings."""
    pair = f"{user.name}:{user.password}".encode()
    found = {"the password": user.password.encode(), "the Basic token": b64encode(pair)}
    for algorithm in HASHES:
        ha1 = make_ha1(algorithm, user)
        found |= {f"H(A1) by {algorithm}": ha1.encode(), f"H(A1) by {algorithm}, raw": bytes.fromhex(ha1)}
    return found


def _in(wanted: Needles, data: bytes, where: str) -> list[str]:
    return [f"{name} in {where}" for name, needle in wanted.items() if needle in data]


def search_logs(compose: Compose, wanted: Needles) -> list[str]:
    return [hit for each in compose.containers() for hit in _in(wanted, log_of(each).encode(), f"the log of {each.name}")]


def search_inspect(compose: Compose, wanted: Needles) -> list[str]:
    found = []
    for each in compose.containers():
        told = json.dumps([each.attrs, each.image.attrs if each.image else None]).encode()
        found += _in(wanted, told, f"docker inspect {each.name}")
    return found


def search_process_lists(compose: Compose, wanted: Needles) -> list[str]:
    """As `ps` shows them, and the environments."""
    found = []
    for each in compose.containers():
        found += _in(wanted, json.dumps(each.top(ps_args="-eo pid,args")["Processes"]).encode(), f"ps of {each.name}")
        for pid in _pids(each):
            with contextlib.suppress(OSError):  # a health check's, which has ended meanwhile
                found += _in(wanted, Path(f"/proc/{pid}/environ").read_bytes(), f"the environment of {each.name}, {pid}")
    return found


def search_images(compose: Compose, wanted: Needles) -> tuple[list[str], int]:
    """All layers of all images; what was found, and the bytes that were looked through."""
    found, looked = [], 0
    for image in {each.image.id: each.image for each in compose.containers() if each.image}.values():
        saved = io.BytesIO(b"".join(image.save(chunk_size=BLOCK)))
        with tarfile.open(fileobj=saved) as outer:
            for member in outer:
                stream = outer.extractfile(member) if member.isfile() else None
                if stream is None:
                    continue
                packed = stream.read(2) == b"\x1f\x8b"
                stream.seek(0)
                pieces = _overlapping(gzip.GzipFile(fileobj=stream) if packed else stream)
                for piece in pieces:
                    looked += len(piece)
                    found += _in(wanted, piece, f"image {image.tags}, {member.name}")
    return found, looked


def search_memory(compose: Compose, wanted: Needles) -> tuple[list[str], int]:
    """All writable memory of the services' processes, as in a core; what was found, and the bytes that were looked through.

    The router's only where it is told to overwrite what it lets go of: requests pass through it, and it does not pay for that
    unless somebody wants it to.
    """
    found, looked = [], 0
    for each in compose.containers():
        if each.labels["com.docker.compose.service"] == "router" and "PYTHONMALLOC=malloc" not in each.attrs["Config"]["Env"]:
            continue
        for pid in _pids(each):
            with contextlib.suppress(OSError):
                for piece in memory_of(pid):
                    looked += len(piece)
                    found += _in(wanted, piece, f"the memory of {each.name}, process {pid}")
    return sorted(set(found)), looked


def _pids(container: Container) -> list[int]:
    """As the engine's host sees them."""
    return [int(process[0]) for process in container.top(ps_args="-eo pid,args")["Processes"]]


def memory_of(pid: int) -> Iterator[bytes]:
    """All writable memory of a process, piece by piece."""
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            first, last = (int(end, 16) for end in span.split("-"))
            try:
                memory.seek(first)
                yield memory.read(last - first)
            except (OSError, ValueError):  # a device's, or gone
                continue


def _overlapping(stream: Iterable[bytes] | io.BufferedIOBase) -> Iterator[bytes]:
    """In blocks, each with the end of the one before: a needle may lie across."""
    before = b""
    while block := stream.read(BLOCK):  # type: ignore[union-attr]
        yield before + block
        before = block[-256:]
