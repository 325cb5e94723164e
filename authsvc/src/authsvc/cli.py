"""`authsvc user add|passwd|remove|list`: the users, also while the service runs; a change holds from the next login on.

Passwords come from a prompt or from a file, never from the command line, where every process of the machine could read them.
"""

import argparse
import getpass
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from svckit.auth.limits import MAX_REALM

from .errors import NoSuchUser, UserExists
from .firststart import read_password_file
from .hashing import check_name, make_record
from .store import Store

__all__ = ["main"]

DEFAULT_REALM = "portico"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when it is done, 1 when it cannot be (the reason is on standard error), 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        if not options.state.is_dir():
            raise ValueError(f"{options.state}: no such folder; name the state folder of the auth service with --state")
        store = Store(options.state)
        try:
            run: Callable[[Store, argparse.Namespace], None] = options.run
            run(store, options)
        finally:
            store.close()
    except NoSuchUser as error:
        return _fail(f"no such user: {error.args[0]}")
    except UserExists as error:
        return _fail(f"there is a user of that name: {error}")
    except (OSError, ValueError, sqlite3.Error) as error:
        return _fail(str(error))
    except (KeyboardInterrupt, EOFError):
        return _fail("given up; nothing is changed")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="authsvc", description="The users of Portico's auth service.")
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("PORTICO_STATE", "/state")),
        help="state folder of the auth service (default: PORTICO_STATE, or /state)",
    )
    user = parser.add_subparsers(required=True, metavar="user").add_parser("user", help="add, change, remove and list users")
    commands = user.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("add", _add, "add a user"),
        ("passwd", _passwd, "give a user another password"),
        ("remove", _remove, "remove a user"),
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
                help=f"realm for Digest, more than once if need be ({DEFAULT_REALM})",
            )
    commands.add_parser("list", help="list the users").set_defaults(run=_list)
    return parser


def _add(store: Store, options: argparse.Namespace) -> None:
    name = os.fsencode(options.name)
    check_name(name)  # before anybody is asked for a password
    if name in store.names():
        raise UserExists(options.name)
    store.add(make_record(name, _password(options), _realms(options) or (DEFAULT_REALM.encode("ascii"),)))


def _passwd(store: Store, options: argparse.Namespace) -> None:
    name = os.fsencode(options.name)
    if name not in store.names():
        raise NoSuchUser(options.name)
    store.replace(make_record(name, _password(options), _realms(options) or store.realms(name)))


def _remove(store: Store, options: argparse.Namespace) -> None:
    store.remove(os.fsencode(options.name))


def _list(store: Store, options: argparse.Namespace) -> None:
    for name in store.names():
        sys.stdout.write(name.decode("utf-8", "backslashreplace") + "\n")


def _realms(options: argparse.Namespace) -> tuple[bytes, ...]:
    realms = tuple(os.fsencode(realm) for realm in options.realm or ())
    if any(not 1 <= len(realm) <= MAX_REALM for realm in realms):
        raise ValueError(f"a realm has 1 to {MAX_REALM} bytes")
    return realms


def _password(options: argparse.Namespace) -> bytes:
    if options.password_file is not None:
        path: Path = options.password_file
        return read_password_file(path)
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise ValueError("the two are not the same")
    return password.encode("utf-8", "surrogateescape")


def _fail(reason: str) -> int:
    sys.stderr.write(f"authsvc: {reason}\n")
    return 1
