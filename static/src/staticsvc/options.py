"""The service's options, with their defaults; in a container each is the variable PORTICO_OPTION_NAME."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from svckit.paths import BadTarget, normalise
from svckit.settings import BadOptions

from .rules import CacheRules, rules_of

__all__ = ["PREFIX", "Options", "fallbacks", "folder", "mapping", "names", "number", "prefixes", "rules"]

PREFIX = "/static/"
"""Where the files of `root` are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where several words or rules are meant, a string holds them as the environment does: blank- or semicolon-separated."""

    root: str = ""
    """Folder of the files under /static/; empty: the example files that come with the service."""
    roots: str | dict[str, str] = ""
    """Further folders by prefix: `/docs/=/srv/docs /=/srv/site`. The longest prefix wins; `/` replaces the first page."""
    pages: str = ""
    """Folder with the `index.html` for `/`; empty: the page that comes with the service."""
    protected: str | list[str] = "/static/private/"
    """Prefixes that ask for a login."""
    index: str | list[str] = "index.html"
    """Names that stand for their folder; the first one that is there is sent."""
    clean: bool = False
    """Whether `/about` means `about.html` where there is no file `about`."""
    fallback: str | list[str] = ""
    """Prefixes whose index page answers for all that is not there, and has no extension: applications of one page."""
    not_found: str = "404.html"
    """Name of the page below each root that comes with 404."""
    listing: bool = False
    """Whether a folder without an index page shows what is in it."""
    precompressed: bool = True
    """Whether NAME.br, NAME.zst and NAME.gz are sent instead of NAME to those who accept it."""
    cache: str | dict[str, str] = "hashed: public, max-age=31536000, immutable"
    """Cache-Control by pattern: see `rules`."""
    hot_files: int = 1024
    """Files whose answers are kept prepared; 0: none."""
    log_requests: bool = True
    """Whether each request is a line in the log."""


def mapping(service: str, options: Options) -> dict[str, str]:
    """All roots: prefix to folder.

    Raises:
        BadOptions: one is no folder to read, or has no prefix, or its prefix stands there twice.
    """
    roots = {PREFIX: options.root}
    words = (
        options.roots if isinstance(options.roots, Mapping) else dict(_pair(service, word) for word in options.roots.split())
    )
    for prefix, folder in words.items():
        key = _prefix(service, "roots", prefix)
        if key in roots and (key != PREFIX or options.root):
            raise BadOptions(f"{service}: roots: {prefix}: stands there twice")
        if not folder:
            raise BadOptions(f"{service}: roots: {prefix}: expected a folder, found none")
        roots[key] = folder
    return roots


def _pair(service: str, word: str) -> tuple[str, str]:
    prefix, equals, folder = word.partition("=")
    if not equals or not folder:
        raise BadOptions(f"{service}: roots: expected PREFIX=FOLDER, found {word!r}")
    return prefix, folder


def prefixes(service: str, option: str, words: str | list[str]) -> list[str]:
    """An option that names prefixes.

    Raises:
        BadOptions: one is none.
    """
    return [_prefix(service, option, word) for word in (words.split() if isinstance(words, str) else words)]


def fallbacks(service: str, options: Options, roots: Collection[str]) -> list[str]:
    """The option `fallback`, the longest first.

    Raises:
        BadOptions: one is no prefix, or below none of `roots`.
    """
    found = sorted(prefixes(service, "fallback", options.fallback), key=len, reverse=True)
    for one in found:
        if not any(one.startswith(root) for root in roots):
            raise BadOptions(f"{service}: fallback: {one}: expected a prefix in {', '.join(sorted(roots))}")
    return found


def _prefix(service: str, option: str, word: str) -> str:
    if not word.startswith("/") or "//" in word or "%" in word:
        raise BadOptions(f"{service}: {option}: {word}: a prefix starts with a slash, as /docs/")
    prefix = word.rstrip("/") + "/"
    if _normal(prefix) != prefix.encode("utf-8"):  # it would fit no request, and protect nothing
        raise BadOptions(f"{service}: {option}: {word}: expected a path in its normal form")
    return prefix


def _normal(prefix: str) -> bytes:
    try:
        return normalise(prefix.encode("utf-8"))
    except BadTarget:
        return b""


def names(service: str, option: str, words: str | list[str]) -> list[bytes]:
    """An option that names files.

    Raises:
        BadOptions: one has a slash in it, or begins with a dot.
    """
    found = words.split() if isinstance(words, str) else words
    for name in found:
        if not name or "/" in name or name.startswith("."):
            raise BadOptions(f"{service}: {option}: {name}: expected the name of a file")
    return [name.encode("utf-8") for name in found]


def rules(service: str, cache: str | dict[str, str]) -> CacheRules:
    """The option `cache`.

    Raises:
        BadOptions: a rule is none.
    """
    try:
        return CacheRules(rules_of(cache) if isinstance(cache, str) else cache)
    except ValueError as error:
        raise BadOptions(f"{service}: cache: {error}") from None


def number(service: str, option: str, value: int) -> int:
    """An option that counts something.

    Raises:
        BadOptions: it is negative.
    """
    if value < 0:
        raise BadOptions(f"{service}: {option}: {value}: expected 0 or more")
    return value


def folder(service: str, option: str, path: str) -> str:
    """A folder that can be read, as an absolute path.

    Raises:
        BadOptions: it cannot.
    """
    if not Path(path).is_dir() or not os.access(path, os.R_OK | os.X_OK):
        raise BadOptions(f"{service}: {option}: {path}: expected a folder to read")
    return str(Path(path).absolute())
