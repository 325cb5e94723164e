"""Tables of routes, and what they say of a preface."""

from portico.core.answers import Answer
from portico.core.matchers import Host, Matcher, Method
from portico.core.names import Names
from portico.core.preface import Preface
from portico.core.rule import Rule
from portico.core.table import RouteTable, Wait

Spec = tuple[str, str | None, tuple[Matcher, ...]]
"""Service, pattern, conditions."""


def table(*specs: Spec) -> RouteTable[str]:
    return RouteTable(
        Rule(service, number, None if pattern == "default" else pattern, conditions, default=pattern == "default")
        for number, (service, pattern, conditions) in enumerate(specs)
    )


def host(name: str) -> Host:
    return Host(Names.of([name]))


def method(name: bytes) -> Method:
    return Method(frozenset([name]))


def get(target: bytes, *fields: bytes) -> bytes:
    return b"GET %s HTTP/1.0\r\n%s\r\n" % (target, b"".join(field + b"\r\n" for field in fields))  # needs no Host


def ask(routes: RouteTable[str], preface: Preface) -> str | Wait | Answer:
    decision = routes.decide(preface)
    return decision.service if isinstance(decision, Rule) else decision


def whole(routes: RouteTable[str], data: bytes, final: bool = False) -> str | Wait | Answer:
    preface = Preface(data)
    preface.final = final
    return ask(routes, preface)


def decided(routes: RouteTable[str], data: bytes) -> str | Wait | Answer:
    """The decision: the same whole, byte by byte and with trailing bytes."""
    found = whole(routes, data)
    assert whole(routes, data + b"\0trailing") == found
    preface = Preface()
    for at in range(len(data)):
        preface.add(data[at : at + 1])
        early = ask(routes, preface)
        if not isinstance(early, Wait):
            assert early == found
            break
    else:
        assert early == found
    return found


PLAIN = table(
    ("root", "=/", ()),
    ("static", "/static/", ()),
    ("deep", "/static/a/b/", ()),
    ("one", "=/static/a", ()),
    ("ws", "/ws", ()),
)
