"""`authsvc user|group|import ...`: the users, also while the service runs; a change holds within two seconds.

Passwords come from a prompt or from a file, never from the command line, where every process of the machine could read them.
"""

import argparse
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from svckit.quiet import ends_with_its_reader

from . import manage
from .database import reason
from .errors import GroupExists, NoSuchGroup, NoSuchUser, UserExists
from .firststart import read_password_file
from .imports import FORMATS
from .store import Store

__all__ = ["main"]


@ends_with_its_reader
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when it is done, 1 when it cannot be (the reason is on standard error), 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        store = _open(options)
        try:
            run: Callable[[Store, argparse.Namespace], None] = options.run
            run(store, options)
        finally:
            store.close()
    except NoSuchUser as error:
        return _fail(f"no such user: {error.args[0]}")
    except NoSuchGroup as error:
        return _fail(f"no such group: {error.args[0]}")
    except UserExists as error:
        return _fail(f"there is a user of that name: {error}")
    except GroupExists as error:
        return _fail(f"there is a group of that name: {error}")
    except BrokenPipeError:
        raise  # nobody reads what it prints
    except (OSError, ValueError, sqlite3.Error, SQLAlchemyError) as error:
        return _fail(reason(error))
    except (KeyboardInterrupt, EOFError):
        return _fail("given up; nothing is changed")
    return 0


def _open(options: argparse.Namespace) -> Store:
    """The service's own store: where its options name a PostgreSQL, that."""
    url = os.environ.get("PORTICO_OPTION_DATABASE", "")
    file = options.database_file or os.environ.get("PORTICO_OPTION_DATABASE_FILE")
    if file:
        url = os.fsdecode(read_password_file(Path(file)))
    if not url and not options.state.is_dir():
        raise ValueError(f"{options.state}: no such folder; name the state folder of the auth service with --state")
    return Store(options.state, url)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="authsvc", description="The users of Portico's auth service.")
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("PORTICO_STATE", "/state")),
        help="state folder of the auth service (default: PORTICO_STATE, or /state)",
    )
    parser.add_argument(
        "--database-file",
        metavar="FILE",
        help="file with the URL of the PostgreSQL where the users are (default: PORTICO_OPTION_DATABASE_FILE, or "
        "PORTICO_OPTION_DATABASE itself; without one, the file in the state folder)",
    )
    things = parser.add_subparsers(required=True, metavar="user|group|import")
    _users(things.add_parser("user", help="add, change, remove and list users"))
    _groups(things.add_parser("group", help="make and remove groups, and say who is in them"))
    _imports(things.add_parser("import", help="take over the users of an Apache"))
    return parser


def _users(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("add", manage.add_user, "add a user"),
        ("passwd", manage.change_password, "give a user another password"),
        ("remove", manage.remove_user, "remove a user"),
    ):
        command = commands.add_parser(name, help=text, allow_abbrev=False)  # "--password x" is not "--password-file x"
        command.set_defaults(run=run)
        command.add_argument("name", metavar="NAME")
        if name != "remove":
            command.add_argument("--password-file", type=Path, metavar="FILE", help="take the password from here, ask nobody")
            command.add_argument(
                "--realm",
                action="append",
                metavar="REALM",
                help=f"realm for Digest, more than once if need be ({manage.DEFAULT_REALM})",
            )
    commands.add_parser("list", help="list the users").set_defaults(run=manage.list_users)


def _groups(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("add", manage.add_group, "make a group"),
        ("remove", manage.remove_group, "remove a group; its users stay"),
        ("join", manage.join_group, "put users into a group"),
        ("leave", manage.leave_group, "take users out of a group"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        command.add_argument("group", metavar="GROUP")
        if name in ("join", "leave"):
            command.add_argument("users", metavar="USER", nargs="+")
    command = commands.add_parser("list", help="list the groups, or the users of one")
    command.set_defaults(run=manage.list_groups)
    command.add_argument("group", metavar="GROUP", nargs="?")


def _imports(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=manage.import_users)
    parser.add_argument("format", choices=sorted(FORMATS))
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--replace", action="store_true", help="give users who are there already the password of the file (else: an error)"
    )


def _fail(reason: str) -> int:
    sys.stderr.write(f"authsvc: {reason}\n")
    return 1
