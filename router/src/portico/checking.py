"""The part of the configuration that speaks of active checks: `check` in a tcp service."""

import re
from typing import Annotated

from msgspec import Meta, Struct

from .core.statuses import statuses

__all__ = ["Check", "refused"]

_is_path = re.compile(r"/[\x21-\x7e]*").fullmatch
_is_host = re.compile(r"[\x21-\x7e]+").fullmatch


class Check(Struct, forbid_unknown_fields=True, frozen=True):
    """How each address of a tcp server is asked whether it is well."""

    path: str | None = None
    """What is asked for by GET; without it, accepting a connection is all that is wanted."""
    host: str | None = None
    """The request's `Host` field; default: the service's `address`."""
    status: str = "200-399"
    """The statuses that are well."""
    interval: Annotated[float, Meta(gt=0)] = 2.0
    """Seconds from the end of one check to the next, more or less."""
    timeout: Annotated[float, Meta(gt=0)] = 1.0
    """Seconds for the whole of a check."""
    rise: Annotated[int, Meta(ge=1)] = 2
    """Checks in a row that an address which is down must pass to be up again."""
    fall: Annotated[int, Meta(ge=1)] = 3
    """Checks in a row that it must fail to be down."""


def refused(check: Check) -> str:
    """What is wrong with it, its key first; empty where nothing is."""
    if check.path is None:
        for key in ("host", "status"):
            if getattr(check, key) != getattr(Check(), key):
                return f"{key}: expected only beside `path`: without one nothing is asked"
        return ""
    if not _is_path(check.path):
        return f"path: expected a path that starts with a slash, in ASCII and without blanks, found {check.path!r}"
    if check.host is not None and not _is_host(check.host):
        return f"host: expected a name in ASCII and without blanks, found {check.host!r}"
    try:
        statuses(check.status)
    except ValueError as error:
        return f"status: {error}"
    return ""
