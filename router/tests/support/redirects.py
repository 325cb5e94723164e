"""Requests to be redirected."""

from portico.config import Config
from portico.core.clienthello import TlsFacts
from portico.core.preface import Preface
from portico.core.rule import Rule


def ask(target: bytes, *fields: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version, b"".join(field + b"\r\n" for field in fields))


def found(config: Config, wire: bytes, tls: TlsFacts | None = None) -> object:
    table = config.table({name: name for name in config.services})
    decision = table.decide(Preface(wire, tls=tls))
    return decision.service if isinstance(decision, Rule) else decision
