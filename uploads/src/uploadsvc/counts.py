"""What the replicas of a store have done, for whoever watches: counted in memory, and left in the store for the others.

A scrape comes to any one replica. So each writes its counts to a file of its own every few seconds, and whoever is asked tells
all of them, its own as they are now. The counts of a replica that is gone are told for `KEPT` seconds.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

__all__ = ["FOLDER", "KEPT", "WRITE_INTERVAL", "Counts"]

FOLDER = ".counts"
"""Sub-folder of the store's root; no upload can have that name."""
WRITE_INTERVAL = 5.0
"""Seconds between two writes of a replica's counts."""
KEPT = 3600.0
"""Seconds that the counts of a replica that writes no more are told."""

HELP = {
    "begun": "uploads begun: bodies of PUTs and forms, and resumable uploads created",
    "finished": "uploads finished and published",
    "broken_off": "bodies that ended before they were whole, or could not be stored",
    "resumed": "bodies that went on with a resumable upload behind its first byte",
    "bytes": "bytes of bodies",
}
WAYS = ("put", "form", "tus")


class Counts:
    """Of one replica."""

    def __init__(self, root: Path, replica: str) -> None:
        self.replica = replica
        self._folder = root / FOLDER
        self._path = self._folder / re.sub(r"[^A-Za-z0-9_.-]", "_", replica)
        self._counts: Counter[str] = Counter({f"{name} {way}": 0 for name in HELP for way in WAYS})
        self.under_way = 0

    def count(self, name: str, way: str, by: int = 1) -> None:
        """`name` is one of HELP, `way` one of WAYS."""
        self._counts[f"{name} {way}"] += by

    def write(self) -> None:
        """Leave them for the other replicas. Blocks."""
        self._folder.mkdir(mode=0o750, exist_ok=True)
        fresh = self._folder / f".{self._path.name}"
        fresh.write_bytes(msgspec.json.encode({**self._counts, "under_way": self.under_way}))
        fresh.replace(self._path)

    def end(self) -> None:
        """Leave them for the last time: the others tell of them for an hour. Blocks."""
        self.under_way = 0
        self.write()

    def page(self) -> bytes:
        """All replicas' in Prometheus' text format. Blocks."""
        found = dict(self._others(time.time()))
        found[self.replica] = {**self._counts, "under_way": self.under_way}
        lines: list[str] = []
        for name, words in HELP.items():
            lines += [f"# HELP portico_uploads_{name}_total {words}", f"# TYPE portico_uploads_{name}_total counter"]
            for replica, counts in sorted(found.items()):
                sample = f'portico_uploads_{name}_total{{replica="{_escaped(replica)}",way='
                lines += [f'{sample}"{way}"}} {counts.get(f"{name} {way}", 0)}' for way in WAYS]
        lines += ["# HELP portico_uploads_under_way bodies under way", "# TYPE portico_uploads_under_way gauge"]
        for replica, counts in sorted(found.items()):
            lines.append(f'portico_uploads_under_way{{replica="{_escaped(replica)}"}} {counts.get("under_way", 0)}')
        return "\n".join([*lines, ""]).encode("utf-8")

    def _others(self, now: float) -> Iterator[tuple[str, dict[str, int]]]:
        with suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                if path.name.startswith(".") or path == self._path:
                    continue
                with suppress(OSError, msgspec.DecodeError):
                    age = now - path.stat().st_mtime
                    if age > KEPT:
                        path.unlink()
                        continue
                    counts = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
                    if age > WRITE_INTERVAL * 3:
                        counts["under_way"] = 0  # it is gone
                    yield path.name, counts


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
