"""What the commands do: each takes the store and its arguments."""

import argparse
import getpass
import os
import sys
from pathlib import Path

from svckit.auth.limits import MAX_REALM

from .errors import NoSuchUser, UserExists
from .firststart import read_password_file
from .hashing import check_name, make_record
from .imports import FORMATS
from .store import Store

__all__ = [
    "DEFAULT_REALM",
    "add_group",
    "add_user",
    "change_password",
    "import_users",
    "join_group",
    "leave_group",
    "list_groups",
    "list_users",
    "remove_group",
    "remove_user",
]

DEFAULT_REALM = "portico"

HOW_THEY_LOG_IN = {
    "htpasswd": "They log in by Basic; browsers take Digest where it is offered, unless the option `schemes` is `basic`.",
    "htdigest": "They log in by Digest with MD5; curl and browsers do so with the option `digest_algorithms` at `MD5,SHA-256`.",
}
"""What to say after an import, by format: whoever offers more locks them out of the better clients."""

_DEFAULT_REALMS = (DEFAULT_REALM.encode("ascii"),)


def add_user(store: Store, options: argparse.Namespace) -> None:
    name = os.fsencode(options.name)
    check_name(name)  # before anybody is asked for a password
    if store.account(name) is not None:
        raise UserExists(options.name)
    store.add(make_record(name, _password(options), _realms(options) or _DEFAULT_REALMS))


def change_password(store: Store, options: argparse.Namespace) -> None:
    name = os.fsencode(options.name)
    if store.account(name) is None:
        raise NoSuchUser(options.name)
    store.replace(make_record(name, _password(options), _realms(options) or store.realms(name) or _DEFAULT_REALMS))


def remove_user(store: Store, options: argparse.Namespace) -> None:
    store.remove(os.fsencode(options.name))


def list_users(store: Store, options: argparse.Namespace) -> None:
    _print_users(store.names())


def add_group(store: Store, options: argparse.Namespace) -> None:
    store.groups.add(options.group)


def remove_group(store: Store, options: argparse.Namespace) -> None:
    store.groups.remove(options.group)


def join_group(store: Store, options: argparse.Namespace) -> None:
    store.groups.join(options.group, [os.fsencode(name) for name in options.users])


def leave_group(store: Store, options: argparse.Namespace) -> None:
    store.groups.leave(options.group, [os.fsencode(name) for name in options.users])


def list_groups(store: Store, options: argparse.Namespace) -> None:
    if options.group is not None:
        _print_users(store.groups.members(options.group))
        return
    for name in store.groups.names():
        sys.stdout.write(f"{name}\n")


def import_users(store: Store, options: argparse.Namespace) -> None:
    path: Path = options.file
    try:
        records = FORMATS[options.format](path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    store.merge(records, replace=options.replace)
    sys.stdout.write(f"{len(records)} taken over. {HOW_THEY_LOG_IN[options.format]}\n")


def _print_users(names: list[bytes]) -> None:
    for name in names:
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
