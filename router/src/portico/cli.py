"""The command line: `portico run`, `check`, `route`, `status`, `top`, `drain`, `undrain`, `health`; for daemons `daemon-*`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence, Sized
from pathlib import Path

import msgspec
from svckit.quiet import ends_with_its_reader

from .config import DEFAULT_ADMIN, Admin, BadConfig, Config, Listener, address, admin_address, load
from .daemon.commands import add as add_daemon
from .operating import drain, health, status, top

__all__ = ["main"]

BAD_USAGE = 2
"""Exit status where the router cannot start because it was told something wrong."""
MOST_WORKERS = 64
MOST_SECONDS = 86_400.0
"""Between two looks of `status --watch`."""


@ends_with_its_reader
def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and do as it says; ends the process."""
    chosen = _parser().parse_args(arguments)
    try:
        sys.exit(chosen.call(chosen))
    except BadConfig as error:
        print(f"portico: {error}", file=sys.stderr)
        sys.exit(BAD_USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="portico", description="A prefix router that hands connections over and leaves.")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="route until SIGTERM or Ctrl-C")
    run.add_argument("file", type=Path, metavar="FILE", help="the configuration, portico.toml")
    run.add_argument("--in-process", action="store_true", help="run the handoff services in this process, without containers")
    run.add_argument(
        "--state", type=Path, default=Path("var"), metavar="DIR", help="with --in-process: where services keep things"
    )
    run.add_argument("--listen", metavar="HOST:PORT", help="listen here instead of where FILE says")
    run.add_argument("--end-without-network", action="store_true", help="end when all network interfaces have gone")
    run.add_argument(
        "--admin",
        metavar="ADDRESS",
        help="operators' port, HOST:PORT or unix:PATH; with --in-process there is none unless given",
    )
    run.add_argument("--workers", type=_workers, metavar="N", help="so many processes on the same ports")
    run.add_argument(
        "--keeper",
        default=os.environ.get("PORTICO_KEEPER") or None,
        metavar="ADDRESS",
        help="borrow the ports from the keeper there (default: PORTICO_KEEPER)",
    )
    run.add_argument("--worker", type=int, help=argparse.SUPPRESS)  # how --workers starts each of them
    run.set_defaults(call=_run)

    check = commands.add_parser("check", help="say what is wrong with a configuration, without starting")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(call=_check)

    route = commands.add_parser("route", help="say where a connection would go, and why")
    route.add_argument("file", type=Path, metavar="FILE")
    route.add_argument("request", nargs="*", metavar="REQUEST", help="such as 'GET /x Host: y'; words are joined")
    route.add_argument(
        "--tls-sni", metavar="NAME", help="a TLS client that asks for NAME; with REQUEST: TLS ended in the router"
    )
    route.add_argument("--alpn", action="append", default=[], metavar="NAME", help="a protocol that it offers; several times")
    route.add_argument("--bytes", metavar="HEX", help="these first bytes instead of a request")
    route.add_argument("--silence", type=float, metavar="SECONDS", help="a client that has sent nothing for so long")
    route.set_defaults(call=_route)

    for name, call, text in (
        ("status", status, "print services, replicas and counts"),
        ("top", top, "the same as a live table in the terminal"),
        ("drain", drain, "send no new connections to one replica; what is live there stays"),
        ("undrain", drain, "send it connections again"),
        ("health", health, "exit 0 if the router answers on its operators' port"),
    ):
        command = commands.add_parser(name, help=text)
        admin = os.environ.get("PORTICO_ADMIN") or DEFAULT_ADMIN
        command.add_argument(
            "--admin",
            default=admin,
            metavar="ADDRESS",
            help=f"HOST:PORT or unix:PATH (default: PORTICO_ADMIN, or {DEFAULT_ADMIN})",
        )
        command.set_defaults(call=call)
        if call is status:
            command.add_argument("--json", action="store_true", help="as JSON")
            command.add_argument("--watch", type=_seconds, metavar="SECONDS", help="again and again until Ctrl-C")
        elif call is top:
            command.add_argument("--every", type=_seconds, default=1.0, metavar="SECONDS", help="between two looks (1)")
        elif call is drain:
            command.add_argument("service", metavar="SERVICE")
            command.add_argument("replica", metavar="REPLICA", help="its name, as `portico status` shows it")
    add_daemon(commands)
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= MOST_SECONDS:
        raise ValueError(text)
    return seconds


_seconds.__name__ = "number of seconds"  # argparse names it so to the user


def _workers(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_WORKERS:
        raise ValueError(text)
    return number


_workers.__name__ = f"number from 1 to {MOST_WORKERS}"


def _run(chosen: argparse.Namespace) -> int:
    from .hangup import Hangup

    hangup = Hangup()  # before the file is read: what is changed after that is read again

    from .main import run  # imports the reactor, which takes its time

    def read() -> Config:
        config = load(chosen.file)
        if chosen.listen:
            _checked(chosen.listen, "--listen")
            config = msgspec.structs.replace(config, listeners=[Listener(chosen.listen)])
        return _with_admin(config, chosen)

    if chosen.workers is not None:
        return _run_workers(chosen, read())
    state = chosen.state if chosen.in_process else None
    return run(read(), state, read, hangup, chosen.end_without_network, chosen.keeper, chosen.worker)


def _run_workers(chosen: argparse.Namespace, config: Config) -> int:
    from .parent import run_workers

    if chosen.in_process:
        raise BadConfig("--workers: not with --in-process, as each worker would have services and a state of its own")
    arguments = [str(chosen.file), *(("--listen", chosen.listen) if chosen.listen else ())]
    return run_workers(chosen.workers, arguments, config, chosen.keeper, chosen.end_without_network)


def _with_admin(config: Config, chosen: argparse.Namespace) -> Config:
    if chosen.admin:
        _checked(chosen.admin, "--admin", admin_address)
        # a worker's counts are not the router's: the parent has the socket for services
        folder = config.admin.status_folder if config.admin is not None and chosen.worker is None else None
        return msgspec.structs.replace(config, admin=Admin(chosen.admin, folder))
    return msgspec.structs.replace(config, admin=None) if chosen.in_process else config


def _checked(text: str, option: str, check: Callable[[str], object] = address) -> None:
    try:
        check(text)
    except ValueError as error:
        raise BadConfig(f"{option}: {error}") from None


def _check(chosen: argparse.Namespace) -> int:
    config = load(chosen.file)
    print(f"{chosen.file}: {_count(config.routes, 'route')} to {_count(config.services, 'service')}")
    return 0


def _count(things: Sized, name: str) -> str:
    return f"{len(things) or 'no'} {name}{'' if len(things) == 1 else 's'}"


def _route(chosen: argparse.Namespace) -> int:
    from .asking import BadQuestion, preface_of
    from .core.explain import explain
    from .core.rule import Rule

    config = load(chosen.file)
    table = config.table({name: name for name in config.services})
    request = " ".join(chosen.request) or None
    try:
        preface = preface_of(request, sni=chosen.tls_sni, alpn=chosen.alpn, data=chosen.bytes, silence=chosen.silence)
    except BadQuestion as error:
        print(f"portico: {error}", file=sys.stderr)
        return BAD_USAGE
    print("\n".join(explain(table, preface)))
    return 0 if isinstance(table.decide(preface), Rule) else 1
