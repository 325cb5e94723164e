"""Say what is wrong with a configuration: what msgspec found, the key in full, and what was expected there."""

import re
from collections.abc import Mapping
from typing import Any, get_args

import msgspec
from msgspec import Struct, ValidationError

__all__ = ["explained"]

Kinds = Mapping[str, type[Struct]]

_parts = re.compile(r"(?:Object )?(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?", re.DOTALL).fullmatch
_enum = re.compile(r"Invalid enum value").match
_unknown = re.compile(r"contains unknown field").match
_table = re.compile(r"(\w*)(?:\[\d+\])?").fullmatch


def explained(error: ValidationError, raw: Mapping[str, Any], tables: Kinds, targets: Kinds) -> str:
    """The text for `error`, which converting `raw` gave.

    `tables` are the kinds of the file's tables by name, "" the whole file's; `targets` those of services by their target.
    """
    said, where = _parted(error)
    if where.startswith("services[...]"):
        for name, service in raw["services"].items():
            wrong = _wrong_service(f"services.{name}", service, targets)
            if wrong:
                return wrong
    table = _table(where)
    return _told(said, where, tables.get(table[1]) if table else None)


def _wrong_service(where: str, service: object, targets: Kinds) -> str:
    if not isinstance(service, Mapping):
        return f"{where}: expected a table"
    target = service.get("target")
    kind = targets.get(target) if isinstance(target, str) else None
    if kind is None:
        found = f"found {target!r}" if target is not None else "found none"
        return f"{where}.target: expected one of {', '.join(targets)}, {found}"
    try:
        msgspec.convert(service, kind)
    except ValidationError as error:
        said, inner = _parted(error)
        return _told(said, f"{where}.{inner}" if inner else where, _kind_at(kind, inner))
    return ""


def _kind_at(kind: type[Struct], inner: str) -> type[Struct]:
    """That of the table in a service that `inner` is, or is in; the service's own where it is in none."""
    name = inner.partition(".")[0]
    for each in msgspec.structs.fields(kind):
        if each.encode_name == name:
            return next((part for part in get_args(each.type) if isinstance(part, type) and issubclass(part, Struct)), kind)
    return kind


def _parted(error: ValidationError) -> tuple[str, str]:
    """What is wrong, and where; the latter is empty for the whole file."""
    found = _parts(str(error))
    return (found[1], found[2] or "") if found else (str(error), "")


def _told(said: str, where: str, kind: type[Struct] | None) -> str:
    expected: tuple[str, ...] = ()
    if kind is not None and _unknown(said):
        tag = kind.__struct_config__.tag_field
        expected = (*((tag,) if tag else ()), *(field.encode_name for field in msgspec.structs.fields(kind)))
    elif kind is not None and _enum(said):
        key = where.rpartition(".")[2]
        expected = next(_words(field.type) for field in msgspec.structs.fields(kind) if field.encode_name == key)
    text = f"{where}: {said[:1].lower()}{said[1:]}" if where else said
    return f"{text}; expected one of {', '.join(expected)}" if expected else text


def _words(kind: Any) -> tuple[str, ...]:
    """Those of a Literal, which may be an optional one."""
    return tuple(word for part in get_args(kind) for word in ((part,) if isinstance(part, str) else _words(part)))
