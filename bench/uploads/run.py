"""The measurement: rounds, in each of which every contender takes the same files, one contender after the other."""

import os
import random
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .client import Load, take, wrong
from .contenders import Contender, start_all

__all__ = ["LOADS", "load_of", "run"]

LOADS = {"1k": Load(1 << 10, 16, 64), "1m": Load(1 << 20, 4, 16), "256m": Load(256 << 20, 1, 1)}


def load_of(size: str) -> Load:
    """One of `LOADS` by its name; or one file of so many bytes.

    Raises:
        ValueError: it is neither.
    """
    return LOADS.get(size) or Load(int(size), 1, 1)


def run(
    sizes: Sequence[str] = tuple(LOADS),
    rounds: int = 5,
    folder: Path = Path("/dev/shm"),  # noqa: S108
    say: Callable[[str], object] = print,
) -> dict[str, Any]:
    """The figures, ready for JSON. `sizes` are as `load_of` takes them; the files go below `folder`; `say` hears of each round.

    For each size and contender: requests a second, their ratio to nginx's in the same round (where nginx is here), the ratio
    that `portico` has to it, and the seconds of processor that a request takes: medians, the least and the most.

    Raises:
        AssertionError: an answer is no success, or a file is not what was sent.
        ValueError: a size is none.
    """
    loads = {size: load_of(size) for size in sizes}
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        sources = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir="/dev/shm")))
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=folder)))
        contenders = start_all(target, stack)
        for size, load in loads.items():
            _make_sources(sources, load)
            samples = [_round(contenders, load, sources) for _ in range(rounds + 1)][1:]  # the first one warms up
            found[size] = {"bytes": load.size, "connections": load.connections, "requests": load.count}
            found[size]["contenders"] = {each.name: _figures(each.name, samples) for each in contenders}
            say(f"{size}: {rounds} rounds, every file as it was sent")
    return {"bench": "uploads", "rounds": rounds, "folder": str(folder), "sizes": found}


def _make_sources(sources: Path, load: Load) -> None:
    block = os.urandom(min(load.size, 1 << 20))
    for at in range(load.connections):
        with (sources / str(at)).open("wb") as file:
            left = load.size
            while left:
                left -= file.write((b"%8d" % (at + left) + block)[: min(left, len(block))])


def _round(contenders: Sequence[Contender], load: Load, sources: Path) -> dict[str, tuple[float, float]]:
    """Of each: requests a second, and seconds of processor for a request."""
    found: dict[str, tuple[float, float]] = {}
    for each in random.sample(contenders, len(contenders)):
        before = each.cpu()
        rate = load.count / take(each.port, load, sources, each.headers)
        found[each.name] = rate, (each.cpu() - before) / load.count
        bad = wrong(load, sources, each.folder)
        assert not bad, f"{each.name}: not what was sent: {bad}"
    return found


def _figures(name: str, samples: Sequence[Mapping[str, tuple[float, float]]]) -> dict[str, Any]:
    rates = [sample[name][0] for sample in samples]
    found = {
        "rate": _figure(rates),
        "cpu": _figure([sample[name][1] for sample in samples]),
        "portico_to_it": _figure([sample["portico"][0] / rate for sample, rate in zip(samples, rates, strict=True)]),
    }
    if "nginx" in samples[0]:
        found["to_nginx"] = _figure([rate / sample["nginx"][0] for sample, rate in zip(samples, rates, strict=True)])
    return found


def _figure(values: Sequence[float]) -> dict[str, float]:
    return {key: float(f"{of(values):.4g}") for key, of in (("median", statistics.median), ("least", min), ("most", max))}
