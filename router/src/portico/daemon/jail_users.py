"""The daemon's user and groups in a jail's `/etc/passwd` and `/etc/group`, for initgroups(3), beside whoever is in them."""

import grp
import pwd
from collections.abc import Callable, Iterable

from .plan import Plan

__all__ = ["merged"]

NAME, NUMBER, MEMBERS = 0, 2, 3
"""Fields of a line of either file; the last one is of `/etc/group` only."""

Lines = list[list[str]]


def merged(passwd: bytes, group: bytes, plan: Plan) -> tuple[bytes, bytes]:
    """Both files with what the daemon needs; every line that is there stays, as a jail may have been made by hand for others.

    Raises:
        ValueError: a name is another number's there.
    """
    users, groups = _lines(passwd), _lines(group)
    user = _user(users, plan.user, plan.group)
    for number in dict.fromkeys([plan.group, *plan.groups]):
        _join(groups, number, user if number != plan.group else "")
    return _text(users), _text(groups)


def _user(users: Lines, uid: int, gid: int) -> str:
    """The user's name in the jail, where it may have another one than outside."""
    there = _with_number(users, uid)
    if there is None:
        name = _named(lambda: pwd.getpwuid(uid).pw_name, f"user{uid}")
        _check_free(users, name, uid)
        there = [name, "x", str(uid), str(gid), "", "/", "/usr/sbin/nologin"]
        users.append(there)
    return there[NAME]


def _join(groups: Lines, gid: int, member: str) -> None:
    """There is such a group, and the member is in it."""
    there = _with_number(groups, gid)
    if there is None:
        name = _named(lambda: grp.getgrgid(gid).gr_name, f"group{gid}")
        _check_free(groups, name, gid)
        there = [name, "x", str(gid), ""]
        groups.append(there)
    members = [each for each in there[MEMBERS].split(",") if each]
    if member and member not in members:
        there[MEMBERS] = ",".join([*members, member])


def _with_number(lines: Iterable[list[str]], number: int) -> list[str] | None:
    return next((line for line in lines if len(line) > MEMBERS and line[NUMBER] == str(number)), None)


def _check_free(lines: Iterable[list[str]], name: str, number: int) -> None:
    for line in lines:
        if line[NAME] == name and len(line) > NUMBER:
            raise ValueError(f"{name} has the number {line[NUMBER]} there, and {number} outside: make them the same")


def _named(look: Callable[[], str], otherwise: str) -> str:
    try:
        return look()
    except KeyError:
        return otherwise


def _lines(text: bytes) -> Lines:
    return [line.split(":") for line in text.decode("utf-8", "surrogateescape").splitlines()]


def _text(lines: Lines) -> bytes:
    return "".join(":".join(line) + "\n" for line in lines).encode("utf-8", "surrogateescape")
