"""One run, from the first contender to the result."""

import contextlib
import datetime
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from . import machine, namespace, services
from .figures import figure
from .form import Form
from .router import contenders, growth, holding
from .router.check import check
from .router.measures import Load
from .router.sample import Failed
from .router.sampling import sample_all
from .router.stage import PATH, Missing, Running, Stage
from .router.starting import first_connection

__all__ = ["run"]

Say = Callable[[str], None]
GROWING = ("portico handoff", "portico tcp split", "HAProxy tcp", "nginx http")
"""Whose cost is measured while ever more connections wait."""
VERSIONS = {"haproxy": "-v", "nginx": "-v", "caddy": "version", "wrk": "-v"}
ENOUGH = 5
"""Connections that are left free of what a proxy can have when it is filled with idle ones."""


def run(form: Form, only: frozenset[str], say: Say) -> dict[str, Any]:
    """The whole of it. `only`: names of contenders, besides those that are needed; empty: all."""
    began = time.monotonic()
    with Stage() as stage, _pinned(stage.load_core):
        running, absent = _begin(stage, only, say)
        load = Load(form.seconds, form.bulk, stage.load_core, shutil.which("wrk", path=PATH))
        if load.wrk is None:
            say("wrk is not here (Debian: wrk): new connections and kept ones are not measured")
        resting = _resting(running, form.resting)
        samples = sample_all(stage, running, load, form.rounds, began + form.load_time, say, absent)
        for by_name in samples.values():
            for name in absent:
                by_name.pop(name, None)
        figures = {key: {name: figure(taken) for name, taken in by.items()} for key, by in samples.items()}
        say("idle connections and slow readers")
        idle, slow = _memory(stage, form, list(running), say)
        say("a replica's first connection")
        start = _starts(stage, form, running, say)
        say("growth")
        grown = _growth(stage, form, running, load, say)
    said = {}
    if form.services:
        for name in services.PROGRAMS:
            say(f"service: {name}")
            said[name] = services.collect(name)
    shares = [each["foreign"] for by in figures.values() for each in by.values()]
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "form": form.name,
        "rounds": max((each["samples"] for by in figures.values() for each in by.values()), default=0),
        "machine": machine.kind(),
        "network": namespace.describe(),
        "versions": _versions(),
        "foreign": statistics.median(shares) if shares else 0.0,
        "seconds": round(time.monotonic() - began),
        "contenders": {name: absent.get(name, "") for name in contenders.ALL},
        "resting": resting,
        "measures": figures,
        "idle": idle,
        "slow": slow,
        "start": start,
        "growth": grown,
        "services": said,
    }


@contextlib.contextmanager
def _pinned(core: str) -> Iterator[None]:
    """This process, which is the load, on its core."""
    before = os.sched_getaffinity(0)
    if core:
        os.sched_setaffinity(0, {int(core)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _begin(stage: Stage, only: frozenset[str], say: Say) -> tuple[dict[str, Running], dict[str, str]]:
    """All that are here and right, and why the others do not take part."""
    running: dict[str, Running] = {}
    absent: dict[str, str] = {}
    for name, make in contenders.ALL.items():
        if only and name not in only and name != contenders.DIRECT:
            absent[name] = "not asked for"
            continue
        try:
            made = make(stage)
        except Missing as error:
            absent[name] = f"not here: {str(error).strip()}"
            say(f"{name} is {absent[name]}")
            continue
        wrong = check(made)
        if wrong:
            absent[name] = f"removed: {wrong}"
            say(f"{name} is {absent[name]}")
            if made.process is not None:
                stage.end(made.process)
            continue
        running[name] = made
        say(f"{name}: its answers are right")
    return running, absent


def _resting(running: dict[str, Running], seconds: float) -> dict[str, float]:
    """Seconds of processor that each uses in a second in which nobody asks anything."""
    began, before = time.monotonic(), {name: each.cpu() for name, each in running.items()}
    time.sleep(seconds)
    passed = time.monotonic() - began
    return {name: (running[name].cpu() - cpu) / passed for name, cpu in before.items() if name != contenders.DIRECT}


def _memory(stage: Stage, form: Form, names: list[str], say: Say) -> tuple[dict[str, Any], dict[str, Any]]:
    """Each freshly started: one that was under load has memory left from it, and would show none."""
    idle: dict[str, Any] = {}
    slow: dict[str, Any] = {}
    for name in names:
        if name == contenders.DIRECT:
            continue
        each = contenders.ALL[name](stage.aside())
        most = stage.descriptors - 500 if name == "portico handoff" else stage.most - holding.WARM - ENOUGH
        try:
            idle[name] = asdict(holding.idle(each, min(form.idle, most)))
            slow[name] = asdict(holding.slow(each, form.readers, form.slow_time))
        except (Failed, OSError) as error:
            say(f"  {name}: {error}")
        finally:
            if each.process is not None:
                stage.end(each.process)
    return idle, slow


def _starts(stage: Stage, form: Form, running: dict[str, Running], say: Say) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in running:
        if name in ("direct", "portico in-process") or (form.starts == 1 and not name.startswith("portico")):
            continue
        try:
            took = [first_connection(stage, contenders.ALL[name]) for _ in range(form.starts)]
        except (Failed, Missing, OSError) as error:
            say(f"  {name}: {error}")
            continue
        found[name] = {
            "after_start": statistics.median(each.after_start for each in took),
            "after_ready": statistics.median(each.after_ready for each in took),
            "refused": max(each.refused for each in took),
        }
    return found


def _growth(stage: Stage, form: Form, running: dict[str, Running], load: Load, say: Say) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if load.wrk is None:
        return found
    deadline = time.monotonic() + form.load_time / 4
    try:
        found["routes"] = growth.routes(stage, load, form.routes, form.growth_samples, deadline)
        found["replicas"] = growth.replicas(stage, load, form.replicas, form.growth_samples, deadline)
    except (Failed, Missing, OSError) as error:
        say(f"  {error}")
    for name in GROWING:
        if name in running:
            counts = [min(count, stage.most - 2 * holding.WARM - ENOUGH) for count in form.held]
            samples = max(1, form.growth_samples // 2)
            try:
                found[f"connections, {name}"] = growth.connections(stage, load, running[name], counts, samples)
            except (Failed, OSError) as error:
                say(f"  {name}: {error}")
    return found


def _versions() -> list[str]:
    """Of the peers' programs, by their own words."""
    found = []
    for program, option in VERSIONS.items():
        path = shutil.which(program, path=PATH)
        if path is not None:
            done = subprocess.run([path, option], capture_output=True, text=True, timeout=20)  # noqa: S603
            words = (done.stdout + done.stderr).replace("/", " ").split()
            number = next((word for word in words if word.lstrip("v")[:1].isdigit()), "")
            found.append(f"{program} {number}".strip())
    return found
