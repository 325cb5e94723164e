"""The grammar of an Authorization header (RFC 9110 section 11.4), strictly.

    credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
    auth-param  = token BWS "=" BWS ( token / quoted-string )

One pass, no backtracking: each pattern is tried at one place only, and a header longer than `MAX_HEADER` is not read at all.
"""

import re

from .errors import Malformed

__all__ = ["MAX_HEADER", "quote", "read_params", "split_scheme"]

MAX_HEADER = 8192
"""Bytes of an Authorization header. A Digest answer for a long URI needs some 4,000."""

_SCHEME = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?: +|\Z)").match
_PARAM = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*"
    rb'(?:([!#$%&\'*+.^_`|~0-9A-Za-z-]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)")'
).match
_SEPARATOR = re.compile(rb"[ \t]*(?:,[ \t,]*|\Z)").match  # a list may have empty elements (RFC 9110 section 5.6.1.2)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def split_scheme(header: bytes) -> tuple[bytes, bytes]:
    """The scheme in lower case (it is case-insensitive) and what follows it.

    Raises:
        Malformed: the header is empty, too long, or does not start with a scheme.
    """
    if len(header) > MAX_HEADER:
        raise Malformed(f"more than {MAX_HEADER} bytes")
    scheme = _SCHEME(header)
    if scheme is None:
        raise Malformed("no scheme")
    return scheme[1].lower(), header[scheme.end() :]


def read_params(text: bytes) -> dict[str, bytes]:
    """The parameters by their names in lower case; quoted strings without their quotes and backslashes.

    Raises:
        Malformed: not a list of parameters, or one of them twice (RFC 9110 section 11.2).
    """
    found: dict[str, bytes] = {}
    at = 0
    while at < len(text):
        param = _PARAM(text, at)
        if param is None:
            raise Malformed("not a parameter")
        name = param[1].decode("ascii").lower()
        if name in found:
            raise Malformed(f"{name} stands there twice")
        found[name] = param[2] if param[3] is None else _QUOTED_PAIR.sub(rb"\1", param[3])
        separator = _SEPARATOR(text, param.end())
        if separator is None:
            raise Malformed(f"something follows {name}")
        at = separator.end()
    return found


def quote(value: bytes) -> bytes:
    """`value` as a quoted-string (RFC 9110 section 5.6.4)."""
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
