"""Conditions as `portico.toml` writes them, and the matchers that they stand for. Errors name the key and what was expected."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta, Struct, field
from svckit.paths import BadTarget, normalise
from svckit.routemap import RouteMap

from .core.matchers import All, Any, Bytes, Header, Host, Matcher, Method, Not, Path, Pattern, Prefix, Silence, Ssh, Tls
from .core.matchers.bytes_ import DEFAULT_WITHIN, LARGEST_WITHIN, unescape
from .core.names import Names

__all__ = [
    "BadRoute",
    "BytesForm",
    "Conditions",
    "HeaderForm",
    "TlsForm",
    "as_one",
    "check_flag",
    "has_conditions",
    "members",
    "own",
]

_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch


class BadRoute(ValueError):
    """A route makes no sense; the text names the key and what was expected."""


class HeaderForm(Struct, forbid_unknown_fields=True, frozen=True):
    """A header field's value by an expression."""

    regex: str


class TlsForm(Struct, forbid_unknown_fields=True, frozen=True):
    """What a TLS client asks for. An empty table is any TLS client."""

    sni: str | list[str] | None = None
    alpn: str | list[str] | None = None


class BytesForm(Struct, forbid_unknown_fields=True, frozen=True):
    """First bytes, other than as text: either in hexadecimal digits, or by an expression."""

    hex: str | None = None
    regex: str | None = None
    within: Annotated[int, Meta(ge=1, le=LARGEST_WITHIN)] | None = None
    """Bytes that the expression is shown."""


class Conditions(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a route asks of a connection; `docs/matchers/` has a page on each."""

    prefix: str | None = None
    """The path itself and everything below it."""
    path: str | None = None
    """This path and no other."""
    host: str | list[str] | None = None
    method: str | list[str] | None = None
    header: dict[str, bool | str | HeaderForm] | None = None
    tls: TlsForm | None = None
    ssh: bool | None = None
    bytes: str | BytesForm | None = None
    silence: Annotated[float, Meta(gt=0)] | None = None
    """Seconds."""
    any: list["Conditions"] | None = None
    all: list["Conditions"] | None = None
    not_: "Conditions | None" = field(default=None, name="not")


# -- into matchers


def own(conditions: Conditions, where: str) -> Iterator[Matcher]:
    """The matchers of one table, without what stands in its `all` and `any`. `where` is the table's place in the file.

    Raises:
        BadRoute: the text names the key and what was expected.
    """
    if (conditions.prefix is not None and conditions.path is not None) or not has_conditions(conditions):
        raise BadRoute(f"{where}: expected either `prefix` or `path`" + ("" if conditions.prefix else ", or another condition"))
    if conditions.prefix is not None:
        yield Prefix(_checked_path(conditions.prefix, where, "prefix"))
    if conditions.path is not None:
        yield Path(_checked_path(conditions.path, where, "path"))
    if conditions.host is not None:
        yield Host(_names(conditions.host, f"{where}.host"))
    if conditions.method is not None:
        yield Method(frozenset(_tokens(conditions.method, f"{where}.method")))
    for name, value in (conditions.header or {}).items():
        yield _header(name, value, f"{where}.header.{name}")
    if conditions.header == {}:
        raise BadRoute(f"{where}.header: expected at least one field")
    if conditions.tls is not None:
        yield from _tls(conditions.tls, f"{where}.tls")
    check_flag(conditions.ssh, f"{where}.ssh")
    if conditions.ssh:
        yield Ssh()
    if conditions.bytes is not None:
        yield _bytes(conditions.bytes, f"{where}.bytes")
    if conditions.silence is not None:
        yield Silence(conditions.silence)
    if conditions.not_ is not None:
        yield Not(as_one(conditions.not_, f"{where}.not"))


def check_flag(value: bool | None, where: str) -> None:
    """
    Raises:
        BadRoute: a flag that can only be true is false.
    """
    if value is False:
        raise BadRoute(f"{where}: expected `true`; leave it out, or use `not`, for the opposite")


def _checked_path(text: str, where: str, key: str) -> bytes:
    try:
        RouteMap([(text if key == "prefix" else f"={text}", True)])
        normal = normalise(text.encode("utf-8"))
    except BadTarget as error:
        raise BadRoute(f"{where}.{key}: expected a path, found {text!r}: {error}") from None
    except ValueError as error:
        raise BadRoute(f"{where}: {error}") from None
    if normal != text.encode("utf-8"):
        raise BadRoute(f"{where}.{key}: expected the normal form {normal.decode('utf-8', 'replace')!r}, found {text!r}")
    return normal


def _listed(value: str | list[str], where: str) -> list[str]:
    if not value:
        raise BadRoute(f"{where}: expected at least one")
    return [value] if isinstance(value, str) else value


def _names(value: str | list[str], where: str) -> Names:
    try:
        return Names.of(_listed(value, where))
    except BadRoute:
        raise
    except ValueError as error:
        raise BadRoute(f"{where}: {error}") from None


def _tokens(value: str | list[str], where: str) -> Iterable[bytes]:
    for token in _listed(value, where):
        if not _token(token):
            raise BadRoute(f"{where}: expected a name without blanks, as in a request, found {token!r}")
        yield token.encode("ascii")


def _header(name: str, value: bool | str | HeaderForm, where: str) -> Header:
    if not _token(name):
        raise BadRoute(f"{where}: expected the name of a header field, found {name!r}")
    key = name.lower().encode("ascii")
    if isinstance(value, HeaderForm):
        return Header(key, _expression(value.regex, f"{where}.regex"))
    if isinstance(value, str):
        return Header(key, value.encode("utf-8"))
    check_flag(value, where)
    return Header(key)


def _tls(form: TlsForm, where: str) -> Iterator[Tls]:
    """One matcher for each, as name and protocol count as a condition each."""
    if form.sni is not None:
        yield Tls(_names(form.sni, f"{where}.sni"))
    if form.alpn is not None:
        yield Tls(alpn=frozenset(name.encode("utf-8") for name in _listed(form.alpn, f"{where}.alpn")))
    if form.sni is None and form.alpn is None:
        yield Tls()


def _bytes(form: str | BytesForm, where: str) -> Matcher:
    if isinstance(form, BytesForm) and (form.hex is None) == (form.regex is None):
        raise BadRoute(f"{where}: expected a text, or a table with either `hex` or `regex`")
    if isinstance(form, BytesForm) and form.regex is not None:
        expression = _expression(form.regex, f"{where}.regex")
        if expression.match(b""):
            raise BadRoute(f"{where}.regex: expected an expression that needs at least one byte, found {form.regex!r}")
        return Pattern(expression, form.within or DEFAULT_WITHIN)
    if isinstance(form, BytesForm) and form.within is not None:
        raise BadRoute(f"{where}.within: expected only beside `regex`")
    try:
        beginning = unescape(form) if isinstance(form, str) else bytes.fromhex(str(form.hex))
    except ValueError as error:
        raise BadRoute(f"{where}: {error}" if isinstance(form, str) else f"{where}.hex: expected pairs of digits") from None
    if not 0 < len(beginning) <= LARGEST_WITHIN:
        raise BadRoute(f"{where}: expected 1 to {LARGEST_WITHIN} bytes, found {len(beginning)}")
    return Bytes(beginning)


def _expression(text: str, where: str) -> re.Pattern[bytes]:
    try:
        return re.compile(text.encode("utf-8"))
    except re.error as error:
        raise BadRoute(f"{where}: expected a regular expression, found {text!r}: {error}") from None


def as_one(conditions: Conditions, where: str) -> Matcher:
    """One matcher for all of `conditions`; for `not`.

    Raises:
        BadRoute: see `own`.
    """
    found = list(own(conditions, where))
    found += [as_one(member, f"{where}.all[{index}]") for index, member in enumerate(members(conditions.all, f"{where}.all"))]
    if conditions.any is not None:
        alternatives = enumerate(members(conditions.any, f"{where}.any"))
        found.append(Any(tuple(as_one(member, f"{where}.any[{index}]") for index, member in alternatives)))
    return found[0] if len(found) == 1 else All(tuple(found))


def members(listed: list[Conditions] | None, where: str) -> list[Conditions]:
    """The tables of an `all` or an `any`.

    Raises:
        BadRoute: the list is empty.
    """
    if listed == []:
        raise BadRoute(f"{where}: expected at least one condition")
    return listed or []


def has_conditions(conditions: Conditions) -> bool:
    """Whether the table says anything."""
    return any(getattr(conditions, name) is not None for name in Conditions.__struct_fields__)
