"""Samples, interleaved: each round asks each contender for each measure, in an order that is drawn by lot, so that what else
the machine does meets all alike, and nobody always comes after the same one."""

import os
import random
import time
from collections.abc import Callable

from bench import machine
from bench.figures import Taken

from .measures import ALL, Load, Measure
from .sample import Failed, Sample, Wrong
from .stage import Running, Stage, Unfit

__all__ = ["Removed", "sample_all"]

WRONG = "an answer under load was wrong"


class Removed(Exception):
    """A contender has given a wrong answer, or has died; the text says which."""


Results = dict[str, dict[str, list[Taken]]]


def sample_all(
    stage: Stage,
    running: dict[str, Running],
    load: Load,
    rounds: int,
    deadline: float,
    say: Callable[[str], None],
    removed: dict[str, str],
) -> Results:
    """Samples by measure and contender; who is wrong goes from `running` into `removed`, with the reason.

    `deadline`, by the monotonic clock: no further round begins after it.

    Raises:
        Unfit: the backend has ended.
    """
    found: Results = {name: {} for name in ALL}
    for number in range(rounds):
        if number and time.monotonic() > deadline:
            say(f"the time is up after {number} of {rounds} rounds")
            break
        say(f"round {number + 1} of {rounds}")
        for key, measure in ALL.items():
            names = [name for name, each in running.items() if _takes_part(measure, each, load)]
            random.shuffle(names)
            for name in names:
                try:
                    found[key].setdefault(name, []).append(take(stage, running[name], measure, load))
                except Failed as error:
                    say(f"  {name}, {measure.title}: {error}")
                    if stage.backend.poll() is not None:
                        raise Unfit(f"the backend has ended: {stage.log(stage.backend)}") from None
                except Removed as error:
                    removed[name] = f"removed: {measure.title}: {error}"
                    say(f"  {name} is {removed[name]}")
                    del running[name]
    return found


def _takes_part(measure: Measure, contender: Running, load: Load) -> bool:
    return (contender.prefixes or not measure.each_prefix) and (load.wrk is not None or not measure.by_wrk)


def take(stage: Stage, contender: Running, measure: Measure, load: Load) -> Taken:
    """One sample, with what it cost.

    Raises:
        Failed: it came to nothing.
        Removed: an answer was wrong, or the contender has ended, which those of its connections that are others' may outlive.
    """
    backend = (contender.backend or stage.backend).pid
    before = (time.monotonic(), machine.busy(), contender.cpu(), machine.cpu(backend), _own())
    try:
        got: Sample = measure.take(contender, load)
    except (Failed, OSError) as error:
        if contender.ended:
            raise Removed(contender.ended) from None
        if isinstance(error, Wrong):
            raise Removed(str(error)) from None
        raise Failed(str(error)) from None
    after = (time.monotonic(), machine.busy(), contender.cpu(), machine.cpu(backend), _own())
    passed, busy, router, backend_cpu, own = (later - earlier for later, earlier in zip(after, before, strict=True))
    if got.wrong:
        raise Removed(f"{WRONG}, {got.wrong} times")
    if contender.ended:
        raise Removed(contender.ended)
    if router < 0:
        raise Failed("some of its processes have ended meanwhile, and what they cost is not known")
    if not got.units:
        raise Failed(f"no answer in {got.seconds:.1f} s")
    if got.broken > got.units / 100:
        raise Failed(f"{got.units:.0f} units, {got.broken} connections broken")
    cores = os.cpu_count() or 1
    return Taken(
        rate=got.units / got.seconds,
        cpu=router / got.units,
        backend=backend_cpu / got.units,
        p50=got.p50,
        p99=got.p99,
        foreign=max(0.0, (busy - router - backend_cpu - own) / passed / cores),
    )


def _own() -> float:
    """Seconds of processor of this process, and of the load generators that it has started and that have ended."""
    return sum(os.times()[:4])
