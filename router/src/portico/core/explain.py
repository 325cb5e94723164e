"""Why a connection goes where it goes: the route that wins, and of each other one why it did not match. For `portico route`."""

from collections.abc import Iterator
from typing import TypeVar

from svckit.paths import BadTarget

from .answers import Answer
from .head import Head
from .preface import Preface
from .rule import Rule
from .table import DEFAULT, RouteTable, Wait
from .verdict import MORE, NO, YES

__all__ = ["explain"]

T = TypeVar("T")


def explain(table: RouteTable[T], preface: Preface) -> list[str]:
    """Plain lines: the decision first, then every other route in the order in which they are considered."""
    decision = table.decide(preface)
    return [_verdict(decision), *_others(table, preface, decision)]


def _verdict(decision: "Rule[T] | Wait | Answer") -> str:
    if isinstance(decision, Rule):
        return f"{decision.service}: routes[{decision.number}] ({decision.asks}) wins"
    if isinstance(decision, Answer):
        return f"no service: {decision.status or 'closed without an answer'}, {decision.why}"
    more = "" if decision.silence is None else f", or {decision.silence:g} s of silence"
    return f"undecided: needs more bytes{more}"


def _others(table: RouteTable[T], preface: Preface, decision: "Rule[T] | Wait | Answer") -> Iterator[str]:
    passed = False
    for rule in table.rules:
        if rule is decision:
            passed = True
        else:
            why = _why_not_default(preface, decision) if rule.default else _why_not(rule, preface, passed)
            yield f"  not routes[{rule.number}] ({rule.asks}) to {rule.service}: {why}"


def _why_not_default(preface: Preface, decision: "Rule[T] | Wait | Answer") -> str:
    if isinstance(decision, Answer):
        return DEFAULT.saw(preface)
    return "another route matches" if isinstance(decision, Rule) else "it is asked last"


def _why_not(rule: Rule[T], preface: Preface, passed: bool) -> str:
    """`passed`: the winner comes before `rule`."""
    try:
        if rule.pattern is not None and (reason := _not_below(rule, preface)):
            return reason
        if rule.raw and preface.returned and not (rule.by_tls and preface.tls_ends_here):
            return "the connection is not at its beginning"
        for condition in rule.conditions:
            verdict = condition.match(preface)
            if verdict is MORE:
                return f"{condition}: needs more"
            if verdict is not YES:
                return f"{condition}: {condition.saw(preface)}"
    except BadTarget as error:
        return f"the request is refused: {error}"
    return "it matches too, and comes after the one that wins" if passed else "it matches, and waits for those before it"


def _not_below(rule: Rule[T], preface: Preface) -> str:
    """Why the path is not one of this rule's; empty if it is."""
    head = preface.head
    if not isinstance(head, Head):
        return "no request has come yet" if head is None else "not HTTP" if preface.http is NO else "not a sound request"
    path, pattern = preface.path, str(rule.pattern).encode("utf-8")
    stem = pattern.rstrip(b"/")
    if pattern == b"=" + path or (not rule.exact and (path == stem or path.startswith(stem + b"/"))):
        return ""
    return f"the path is {path.decode('utf-8', 'replace')}"
