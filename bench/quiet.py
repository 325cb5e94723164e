"""What is measured besides throughput: idle routers, idle connections, slow readers, first connections, growth. Nothing begins
after the deadline, by the monotonic clock; what is left out then is said."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from .findings import HANDOFF
from .form import Form
from .router import bulk, contenders, holding
from .router import growth as growing
from .router.measures import Load
from .router.sample import Failed
from .router.sampling import Removed
from .router.stage import Missing, Running, Stage
from .router.starting import first_connection

__all__ = ["growth", "memory", "passing", "resting", "starts"]

Say = Callable[[str], None]
GROWING = ("portico handoff", "portico tcp split", "HAProxy tcp", "nginx http")
"""Whose cost is measured while ever more connections wait."""
ENOUGH = 5
"""Connections that are left free of what a proxy can have when it is filled with idle ones."""


def resting(running: dict[str, Running], seconds: float) -> dict[str, float]:
    """Seconds of processor that each uses in a second in which nobody asks anything."""
    began, before = time.monotonic(), {name: each.cpu() for name, each in running.items()}
    time.sleep(seconds)
    passed = time.monotonic() - began
    return {name: (running[name].cpu() - cpu) / passed for name, cpu in before.items() if name != contenders.DIRECT}


def passing(running: dict[str, Running], seconds: float, rest: dict[str, float], say: Say) -> dict[str, dict[str, float]]:
    """Processor time for a GiB in the midst of a transfer, beyond what the router uses anyway."""
    found: dict[str, dict[str, float]] = {}
    for name, each in running.items():
        try:
            for way, service in (("down", "static-bulk"), ("up", "uploads-bulk")):
                moved, passed, cost = bulk.passing(each.port(service), way == "up", seconds, each.cpu)
                if each.ended:
                    raise Failed(each.ended)
                found.setdefault(name, {})[way] = max(0.0, cost - rest.get(name, 0.0) * passed) / moved
        except (Failed, OSError, ZeroDivisionError) as error:
            say(f"  {name}, in the midst of a transfer: {error}")
    return found


def _most(stage: Stage, name: str) -> int:
    """Connections that can wait at a time; those that were handed over take no descriptor of the router's."""
    return stage.descriptors - 500 if name == HANDOFF else stage.most - holding.WARM - ENOUGH


def memory(stage: Stage, form: Form, names: list[str], say: Say, deadline: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Each freshly started: one that was under load has memory left from it, and would show none."""
    idle: dict[str, Any] = {}
    slow: dict[str, Any] = {}
    for name in names:
        if name == contenders.DIRECT:
            continue
        if time.monotonic() > deadline:
            say("  the time is up")
            break
        try:
            each = contenders.ALL[name](stage.aside())
        except Missing as error:
            say(f"  {name}: {error}")
            continue
        try:
            idle[name] = asdict(holding.idle(each, min(form.idle, _most(stage, name))))
            slow[name] = asdict(holding.slow(each, form.readers, form.slow_time))
            if each.ended:  # what it has handed over goes on, and it has no memory any more
                del idle[name], slow[name]
                raise Failed(each.ended)
        except (Failed, OSError) as error:
            say(f"  {name}: {error}")
        finally:
            if each.process is not None:
                stage.end(each.process)
    return idle, slow


def starts(stage: Stage, form: Form, names: list[str], say: Say, deadline: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        if time.monotonic() > deadline:
            say("  the time is up")
            break
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


def growth(stage: Stage, form: Form, running: dict[str, Running], load: Load, say: Say, deadline: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if load.wrk is None:
        return found
    try:
        found["routes"] = growing.routes(stage, load, form.routes, form.growth_samples, deadline)
        found["replicas"] = growing.replicas(stage, load, form.replicas, form.growth_samples, deadline)
    except (Failed, Missing, OSError, Removed) as error:
        say(f"  {error}")
    for name in GROWING:
        if name in running and time.monotonic() < deadline:
            counts = [min(count, _most(stage, name)) for count in form.held]
            samples = max(1, form.growth_samples // 2)
            try:
                found[f"connections, {name}"] = growing.connections(stage, load, running[name], counts, samples, deadline)
            except (Failed, OSError, Removed) as error:
                say(f"  {name}: {error}")
    return found
