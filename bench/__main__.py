"""`python -m bench`: Portico beside its peers and beside no proxy at all, in one run on this machine.

Prints a table of all measures and one of the targets, and writes both as JSON. The exit status says whether it ran, not
whether the targets hold. `docs/performance.md` says what is measured, and how.
"""

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from . import namespace, record, report
from .form import FULL, QUICK
from .plots import draw
from .router.contenders import ALL as CONTENDERS
from .router.measures import ALL as MEASURES
from .router.stage import Missing, Unfit
from .run import run
from .tables import align, growth_rows, idle_rows, measure_rows, target_rows

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
BUSY = 0.2
"""The share of the processors that others may use before it has to be said."""
VAR = Path(__file__).resolve().parents[1] / "var/bench"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="under 40 minutes; the result is kept, unless --only is given")
    parser.add_argument("--results", type=Path, help="folder for it (bench/results; of one that is not kept: var/bench)")
    parser.add_argument("--only", default="", metavar="NAME,NAME", help=f"contenders beside direct: {', '.join(CONTENDERS)}")
    chosen = parser.parse_args()
    only = frozenset(name for name in chosen.only.split(",") if name)
    if only - set(CONTENDERS):
        parser.error(f"there is no {', '.join(sorted(only - set(CONTENDERS)))}")
    namespace.enter("bench")
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # under nohup it goes on
            signal.signal(number, end)
    form = FULL if chosen.full else QUICK
    try:
        began = time.monotonic()
        result = run(form, only, lambda text: print(f"{time.monotonic() - began:5.0f} s  {text}", flush=True))
    except KeyboardInterrupt:
        print("ended; what was started has been ended too", file=sys.stderr)
        return 130
    except (Missing, Unfit) as error:
        print(f"nothing was measured: {error}", file=sys.stderr)
        return 1
    folder = chosen.results or (record.RESULTS if chosen.full and not only else VAR)
    path = record.write(result, folder)
    result = record.read(path)  # rounded: here and in the plots stands what the pages will say
    for key, measure in MEASURES.items():
        print(f"\n{measure.title}\n{align(measure_rows(result, key))}")
    print(f"\n{align(idle_rows(result))}\n\n{align(growth_rows(result))}\n\n{report.machine(result)}")
    if result["foreign"] > BUSY:
        print("That is a busy machine: ratios of rates are noise then, and processor times are rough.")
    print(f"\n{align(target_rows(result))}\n\n{path}")
    try:
        print(*draw(result, folder), sep="\n")
    except ImportError:
        print("no plots: matplotlib is not here (make .venv/bench.stamp)")
    return 0


def end(_: int, __: FrameType | None) -> None:
    """The run ends, with all that it has started."""
    for number in ENDING:  # a second one would leave behind what the first one is about to end
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
