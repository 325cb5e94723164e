"""`svckit run` and `svckit health`, what a service's container calls; `svckit handoff-check` for whoever writes a replica."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .quiet import ends_with_its_reader

__all__ = ["main"]


@ends_with_its_reader
def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and do as it says; ends the process."""
    parser = argparse.ArgumentParser(prog="svckit", description="Runs a service behind the Portico router.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve connections that the router hands over, until SIGTERM")
    run.add_argument("what", help="an installed service's name, or package.module:make_factory")
    run.add_argument("--service", help="the name in the router's configuration (default: the installed service's name)")
    health = commands.add_parser("health", help="exit 0 if this container's replica answers")
    health.add_argument("service")
    trial = commands.add_parser(
        "handoff-check", help="try the rules of the handoff protocol on a replica, in whatever language"
    )
    trial.add_argument("socket", type=Path, help="its socket file")
    trial.add_argument("--path", default="/", help="one that its service answers to GET and keeps the connection (/)")
    trial.add_argument("--pid", type=int, help="its process, which gets SIGTERM at the end: tries the drain too")
    trial.add_argument(
        "--without", action="append", default=[], metavar="SECTION", help="a section of the protocol's page to leave out"
    )
    trial.add_argument(
        "--patience", type=float, default=5.0, metavar="SECONDS", help="what does not happen in this time never does (5)"
    )
    trial.add_argument(
        "--hand-back-timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="what the replica was told (PORTICO_HAND_BACK_TIMEOUT), as one rule waits as long (30)",
    )
    trial.add_argument(
        "--take-timeout", type=float, default=2.0, metavar="SECONDS", help="what the router's configuration says (2)"
    )
    chosen = parser.parse_args(arguments)
    if chosen.command == "health":
        from .health import check

        problem = check(chosen.service)
        if problem is not None:
            print(problem, file=sys.stderr)
        sys.exit(0 if problem is None else 1)
    if chosen.command == "handoff-check":
        from .handoff.conformance.report import tell

        times = chosen.patience, chosen.hand_back_timeout, chosen.take_timeout
        kept = tell(chosen.socket, chosen.path, chosen.pid, chosen.without, *times)
        sys.exit(0 if kept else 1)
    if ":" in chosen.what and not chosen.service:
        parser.error("--service is needed where the service is given as package.module:function")
    sys.path.insert(0, "")  # package.module:function may lie in the working directory, as for twistd
    from .runner import run as run_service  # imports the reactor, which the health check has no time for

    sys.exit(run_service(chosen.what, chosen.service or chosen.what))
