"""One run, from the first contender to the result."""

import datetime
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

from . import machine, namespace, quiet, services
from .figures import figure
from .form import Form
from .machine import pinned
from .router import contenders
from .router.check import check
from .router.measures import Load
from .router.sampling import sample_all
from .router.stage import PATH, Missing, Running, Stage

__all__ = ["run", "still_right"]

Say = Callable[[str], None]
VERSIONS = {"haproxy": "-v", "nginx": "-v", "caddy": "version", "wrk": "-v"}


def run(form: Form, only: frozenset[str], say: Say) -> dict[str, Any]:
    """The whole of it. `only`: names of contenders, besides those that are needed; empty: all."""
    began = time.monotonic()
    deadline = began + form.longest
    with Stage() as stage, pinned(stage.load_core):
        running, absent = _begin(stage, only, say)
        load = Load(form.seconds, form.bulk, stage.load_core, shutil.which("wrk", path=PATH))
        if load.wrk is None:
            say("wrk is not here (Debian: wrk): new connections and kept ones are not measured")
        resting = quiet.resting(running, form.resting)
        samples = sample_all(stage, running, load, form.rounds, began + form.load_time, say, absent)
        still_right(running, absent, say)
        for by_name in samples.values():
            for name in absent:
                by_name.pop(name, None)
        figures = {key: {name: figure(taken) for name, taken in by.items() if taken} for key, by in samples.items()}
        say("in the midst of transfers")
        passing = quiet.passing(running, form.seconds * 2, resting, say)
        say("growth")
        grown = quiet.growth(stage, form, running, load, say, deadline)
        say("idle connections and slow readers")
        idle, slow = quiet.memory(stage, form, list(running), say, deadline)
        say("a replica's first connection")
        start = quiet.starts(stage, form, list(running), say, deadline)
    said = {}
    if form.services:
        for name in services.PROGRAMS:
            if time.monotonic() > deadline:
                said[name] = "the time was up"
                continue
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
        "passing": passing,
        "measures": figures,
        "idle": idle,
        "slow": slow,
        "start": start,
        "growth": grown,
        "services": said,
    }


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


def still_right(running: dict[str, Running], absent: dict[str, str], say: Say) -> None:
    """After the load; wrk looks at each answer's status, and no further."""
    for name, made in list(running.items()):
        wrong = made.ended or check(made)
        if wrong:
            absent[name] = f"removed: after the load, {wrong}"
            say(f"{name} is {absent[name]}")
            del running[name]


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
