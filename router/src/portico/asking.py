"""`portico route`: a connection described in words becomes the preface that it would have."""

import re

from .core.clienthello import TlsFacts, make_hello
from .core.preface import Preface

__all__ = ["BadQuestion", "preface_of", "request_of"]

_name = re.compile(r"(?:^|\s)([!#$%&'*+\-.^_`|~0-9A-Za-z]+):(?=\s|$)")


class BadQuestion(ValueError):
    """The question makes no sense; the text says what was expected."""


def request_of(text: str) -> bytes:
    """The head of a request written in one line, `GET /x Host: y X-Env: blue`, or in several as it is sent.

    In one line each word with a colon at its end begins a header field. What names neither a version nor a host is asked about
    as HTTP/1.0, as HTTP/1.1 must name one.

    Raises:
        BadQuestion: there is no method or no target.
    """
    text = text.strip()
    line, newline, rest = text.partition("\n")
    if newline:
        fields = [field.strip() for field in rest.splitlines()]
    else:
        found = list(_name.finditer(text))
        line = text[: found[0].start()] if found else text
        ends = [*(each.start() for each in found[1:]), len(text)]
        fields = (
            [f"{each[1]}: {text[each.end() : end].strip()}" for each, end in zip(found, ends, strict=True)] if found else []
        )
    words = line.split()
    version = words.pop() if len(words) == 3 and words[2].startswith("HTTP/") else _version_for(fields)
    if len(words) != 2:
        raise BadQuestion(f"expected a request such as 'GET /path Host: name', found {text!r}")
    head = "".join(f"{line}\r\n" for line in (f"{words[0]} {words[1]} {version}", *filter(None, fields)))
    return head.encode("utf-8", "surrogateescape") + b"\r\n"


def _version_for(fields: list[str]) -> str:
    return "HTTP/1.1" if any(field.lower().startswith("host:") for field in fields) else "HTTP/1.0"


def preface_of(request: str | None, *, sni: str | None, alpn: list[str], data: str | None, silence: float | None) -> Preface:
    """The preface that such a connection would have.

    Args:
        request: see `request_of`. With `sni` or `alpn` beside it: inside of TLS that the router has ended.
        sni: name that a TLS client asks for.
        alpn: protocols that it offers.
        data: first bytes, in hexadecimal digits.
        silence: seconds in which nothing was sent.

    Raises:
        BadQuestion: nothing to ask about, or two things at once.
    """
    by_tls = sni is not None or bool(alpn)
    facts = TlsFacts(None if sni is None else _ascii(sni).lower().removesuffix(b"."), tuple(map(_ascii, alpn)))
    if sum((request is not None or by_tls, data is not None, silence is not None)) != 1:
        raise BadQuestion("expected one of: a request, --tls-sni or --alpn, --bytes, --silence")
    if request is not None:
        return Preface(request_of(request), tls=facts if by_tls else None)
    if by_tls:
        return Preface(make_hello(facts))
    if data is not None:
        try:
            return Preface(bytes.fromhex(data))
        except ValueError:
            raise BadQuestion(f"--bytes: expected pairs of hexadecimal digits, found {data!r}") from None
    preface = Preface()
    preface.silent = silence or 0.0
    return preface


def _ascii(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise BadQuestion(f"expected ASCII, found {text!r}") from None
