"""The keeper as a program: it keeps until it is told to end."""

import argparse
import json
import signal
import sys
from datetime import datetime, timezone

from .keeper import KEEP, Keeper

__all__ = ["main"]

LONGEST_KEEP = 86_400.0


def main() -> None:
    """Keep until SIGTERM or SIGINT, which end it at once."""
    parser = argparse.ArgumentParser(prog="keeper", description="Holds the listening sockets of Portico's routers.")
    parser.add_argument("address", metavar="ADDRESS", help="@name for an abstract Unix socket, or a path")
    parser.add_argument(
        "--keep", type=_seconds, default=KEEP, metavar="SECONDS", help=f"for a socket that no router uses ({KEEP:g})"
    )
    parser.add_argument("--uid", type=int, action="append", metavar="UID", help="of routers; several times (default: this one)")
    chosen = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: sys.exit(0))  # PID 1 would not end by these alone
    try:
        keeper = Keeper(chosen.address, frozenset(chosen.uid or ()), chosen.keep, log=_log)
    except OSError as error:
        sys.exit(f"keeper: {error.strerror or error}")
    try:
        _log(f"routers are expected at {chosen.address}")
        keeper.run()
    finally:
        keeper.close()


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < LONGEST_KEEP:
        raise ValueError(text)
    return seconds


def _log(text: str) -> None:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({"time": now, "level": "info", "service": "keeper", "message": text}), flush=True)
