"""Which groups may use which prefix with which method.

    [[rules]]
    prefix = "/uploads/"             # or path = "/exactly/this"
    methods = ["PUT", "DELETE"]      # left out: every method; GET includes HEAD
    groups = ["editors"]             # "*": every user

The longest prefix that has rules decides, on segment boundaries and in the normal form that the router and the services know
(`svckit.paths`); an exact path wins over prefixes. A letter that Unicode can spell in two ways is one letter (NFC), as it is in
the names of uploads. There a request is allowed if one of the rules has its method and a group of the user's, and nothing else
is. Where no prefix has rules every user may do everything.

The file is looked at once a second and read again when it has changed. One that cannot be read is logged, and what was there
stays.
"""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from svckit.paths import BadTarget, normalise
from svckit.routemap import RouteMap
from twisted.logger import Logger

__all__ = ["LOOK_INTERVAL", "Rule", "Rules", "RulesFile", "read_rules"]

LOOK_INTERVAL = 1.0
"""Seconds between two looks at the file."""

log = Logger()


class Rule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One table of the file."""

    prefix: str = ""
    path: str = ""
    methods: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None
    groups: tuple[str, ...]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[Rule] = []


class Rules:
    """What a file says."""

    def __init__(self, rules: list[Rule]) -> None:
        """Raises: ValueError: a rule has no prefix or path, or both, or a malformed one."""
        by_pattern: dict[str, list[Rule]] = {}
        for number, rule in enumerate(rules, 1):
            if bool(rule.prefix) == bool(rule.path):
                raise ValueError(f"rule {number}: expected either prefix or path")
            pattern = f"={rule.path}" if rule.path else rule.prefix.rstrip("/") + "/"
            try:
                normal = normalise(pattern.removeprefix("=").encode("utf-8"))
            except BadTarget:
                normal = b""
            if normal != pattern.removeprefix("=").encode("utf-8"):
                raise ValueError(f"rule {number}: {rule.path or rule.prefix}: expected a path from / on, in its normal form")
            by_pattern.setdefault(unicodedata.normalize("NFC", pattern), []).append(rule)
        self._map: RouteMap[list[Rule]] = RouteMap(by_pattern.items())

    def allow(self, groups: frozenset[str], method: bytes, target: bytes) -> bool:
        """Whether a user of these groups may make this request; `target` is as in the request line."""
        try:
            rules = self._map.find(_composed(normalise(target)))
        except BadTarget:
            return False
        if rules is None:
            return True
        wanted = method.decode("latin-1")
        return any(_has_method(rule, wanted) and ("*" in rule.groups or groups & set(rule.groups)) for rule in rules)


def _composed(path: bytes) -> bytes:
    """In NFC; bytes that are no UTF-8 stay as they are."""
    if path.isascii():
        return path
    return unicodedata.normalize("NFC", path.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _has_method(rule: Rule, method: str) -> bool:
    return rule.methods is None or method in rule.methods or (method == "HEAD" and "GET" in rule.methods)


def read_rules(path: Path) -> Rules:
    """Raises: OSError: the file cannot be read; ValueError: it is not what it should be."""
    try:
        return Rules(msgspec.toml.decode(path.read_bytes(), type=_File).rules)
    except ValueError as error:  # what msgspec raises too
        raise ValueError(f"{path}: {error}") from None


class RulesFile:
    """Follows a file."""

    def __init__(self, path: Path | None, now: Callable[[], float]) -> None:
        """Without a `path` every user may do everything; `now` is in seconds of any clock.

        Raises:
            OSError, ValueError: see `read_rules`.
        """
        self._path = path
        self._now = now
        self._looked = now()
        self._seen = None if path is None else _stamp(path)
        self._rules = Rules([]) if path is None else read_rules(path)

    @property
    def rules(self) -> Rules:
        """As the file is now, or was a moment ago."""
        if self._path is not None and self._now() - self._looked >= LOOK_INTERVAL:
            self._looked = self._now()
            self._look(self._path)
        return self._rules

    def _look(self, path: Path) -> None:
        stamp = _stamp(path)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._rules = read_rules(path)
            log.info("the rules are read again from {path}", path=str(path))
        except (OSError, ValueError) as error:
            log.error("the rules stay as they were: {reason}", reason=str(error))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
