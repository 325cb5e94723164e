"""What a connection costs the router when there are more connections, more routes, more replicas."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from bench.figures import Figure, Taken, figure
from tests.support.site import free_port

from . import portico
from .holding import held
from .measures import ALL, Load, Measure
from .replies import SERVICES
from .sample import Failed
from .sampling import take
from .stage import Running, Stage

__all__ = ["connections", "replicas", "routes"]

Grown = dict[str, Figure]
"""By how many there are."""


def _interleaved(
    stage: Stage,
    load: Load,
    contenders: dict[str, Running],
    samples: int,
    deadline: float,
    measure: Measure = ALL["connections"],
) -> Grown:
    found: dict[str, list[Taken]] = {}
    for number in range(samples):
        if number and time.monotonic() > deadline:
            break
        for key, each in random.sample(list(contenders.items()), len(contenders)):
            with contextlib.suppress(Failed):
                found.setdefault(key, []).append(take(stage, each, measure, load))
    return {key: figure(found[key]) for key in contenders if found.get(key)}


def connections(stage: Stage, load: Load, contender: Running, counts: Sequence[int], samples: int, deadline: float) -> Grown:
    """New ones, while so many others wait."""
    found: Grown = {}
    for count in counts:
        if found and time.monotonic() > deadline:
            break
        with held(contender, count):
            found |= _interleaved(stage, load, {str(count): contender}, samples, deadline)
    return found


@contextlib.contextmanager
def _all(stage: Stage, makers: Mapping[str, Callable[[], Running]]) -> Iterator[dict[str, Running]]:
    made: dict[str, Running] = {}
    try:
        for key, make in makers.items():
            made[key] = make()
        yield made
    finally:
        for each in made.values():
            if each.process is not None:
                stage.end(each.process)


def routes(stage: Stage, load: Load, counts: Sequence[int], samples: int, deadline: float) -> Grown:
    """By handoff, with so many routes; no request is remembered, so that each has its route looked for."""
    makers = {
        str(count): partial(portico.handoff, stage, f"portico {count} routes", None, count - len(SERVICES)) for count in counts
    }
    with _all(stage, makers) as made:
        return _interleaved(stage, load, made, samples, deadline, ALL["unknown"])


def replicas(stage: Stage, load: Load, counts: Sequence[int], samples: int, deadline: float) -> Grown:
    """By handoff, to so many replicas, all of one process."""
    backends = {}
    try:
        makers = {}
        for count in counts:
            folder = stage.folder / f"run-{count}"
            ports = {service: free_port() for service in SERVICES}
            backends[str(count)] = stage.start_backend(folder, ports, "--replicas", str(count))
            makers[str(count)] = partial(portico.handoff, stage, f"portico {count} replicas", folder)
        with _all(stage, makers) as made:
            for key, each in made.items():
                each.backend = backends[key]
            time.sleep(1.0)  # all are linked
            return _interleaved(stage, load, made, samples, deadline)
    finally:
        for process in backends.values():
            stage.end(process)
