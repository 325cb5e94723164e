"""The first user. There is no default password: it is random and shown once, or comes from a file such as a Docker secret."""

import secrets
from pathlib import Path

from twisted.logger import Logger

from .errors import UserExists
from .hashing import make_record
from .store import Store

__all__ = ["ADMIN", "PASSWORD_BYTES", "make_first_user", "read_password_file"]

ADMIN = b"admin"
"""Name of the first user."""

PASSWORD_BYTES = 18
"""Randomness of a password that is made here: 24 characters."""

log = Logger()


def make_first_user(store: Store, realms: tuple[bytes, ...], password_file: Path | None) -> None:
    """Add `admin` if there are no users at all. Replicas that start at once agree on whose password it is.

    Raises:
        OSError, ValueError: the password file cannot be read or has no password.
    """
    if store.names():
        return
    given = None if password_file is None else read_password_file(password_file)
    password = secrets.token_urlsafe(PASSWORD_BYTES).encode("ascii") if given is None else given
    try:
        store.add(make_record(ADMIN, password, realms), only_first=True)
    except UserExists:  # another replica was faster
        return
    if given is None:
        log.warn(
            "first start: made user {user} with password {password}; it is shown only this once",
            user=ADMIN.decode("ascii"),
            password=password.decode("ascii"),
        )
    else:
        log.info(
            "first start: made user {user} with the password of {file}", user=ADMIN.decode("ascii"), file=str(password_file)
        )


def read_password_file(path: Path) -> bytes:
    """The first line of a file, without its end.

    Raises:
        OSError: it cannot be read.
        ValueError: it is empty, or has a second line.
    """
    password, _, rest = path.read_bytes().partition(b"\n")
    if rest.strip():
        raise ValueError(f"{path}: has more than one line")
    password = password.removesuffix(b"\r")
    if not password:
        raise ValueError(f"{path}: has no password")
    return password
