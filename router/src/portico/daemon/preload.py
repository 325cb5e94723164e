"""Everything that is imported only when it is needed, imported now: in a jail, or as a user who may not read it, it cannot be.

A daemon drops its privileges and enters its jail after its modules are loaded. What it would import later, say at the first
login or when a name is looked up, it would not find.
"""

import contextlib
import importlib
import pkgutil
import time
from collections.abc import Iterable

from svckit.entry import remember

__all__ = ["preload"]

STANDARD = (
    "encodings.idna",
    "encodings.punycode",
    "encodings.latin_1",
    "encodings.ascii",
    "encodings.utf_8",
    "encodings.unicode_escape",
    "encodings.raw_unicode_escape",
    "stringprep",
    "unicodedata",
    "multiprocessing.util",
    "sqlite3",
    "tracemalloc",
    "traceback",
    "linecache",
)
TWISTED = (
    "twisted.cred.checkers",
    "twisted.internet._newtls",
    "twisted.internet._resolver",
    "twisted.internet.address",
    "twisted.internet.threads",
    "twisted.internet.unix",
    "twisted.protocols.amp",
    "twisted.python.threadpool",
    "twisted.web.error",
    "twisted.web.http",
    "twisted.web.resource",
    "twisted.web.server",
    "twisted.web.static",
    "twisted.web.util",
)
OURS = ("portico", "svckit")
OTHERS = ("portico.daemon", "svckit.handoff.aio", "svckit.handoff.conformance")
"""Parts that a running daemon does not come to: other programs, servers on asyncio."""


def preload(services: Iterable[str]) -> None:
    """Import all of Portico, and of the services called so.

    Raises:
        NoSuchService: one of `services` is not installed.
    """
    found = [remember(name) for name in services]
    makers = [maker for parts in found for maker in (parts.make_factory, parts.make_service) if maker is not None]
    packages = {*OURS, *(maker.__module__.partition(".")[0] for maker in makers)}
    for package in sorted(packages):
        _whole(package)
    for name in (*STANDARD, *TWISTED):
        _try(name)
    time.tzset()  # reads the local time zone's file


def _whole(package: str) -> None:
    module = importlib.import_module(package)
    for each in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{package}."):
        if each.name.endswith(("__main__", ".cli")) or each.name in OTHERS:
            continue
        if each.ispkg:
            with contextlib.suppress(ImportError):
                _whole(each.name)
        else:
            _try(each.name)


def _try(name: str) -> None:
    """What cannot be imported now, for a package that is not installed, would not be later."""
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
