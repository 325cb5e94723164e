"""Matchers of matchers, in three-valued logic; and what all of them are in words."""

import re
from dataclasses import dataclass

import pytest
from portico.core.matchers import (
    All,
    Any,
    Bytes,
    Default,
    Header,
    Host,
    Matcher,
    Method,
    Not,
    Path,
    Pattern,
    Prefix,
    Silence,
    Ssh,
    Tls,
)
from portico.core.preface import Preface
from portico.core.verdict import MORE, NO, YES, Verdict

from .support.matching import names


@dataclass(frozen=True)
class Says:
    """A matcher of one mind."""

    verdict: Verdict
    http = False
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        return self.verdict

    def saw(self, preface: Preface) -> str:
        return "nothing"


@pytest.mark.parametrize("one", Verdict)
@pytest.mark.parametrize("other", Verdict)
def test_three_valued_logic(one: Verdict, other: Verdict) -> None:
    """Kleene's: for `all` no is stronger than "need more", for `any` yes is; and De Morgan's laws hold."""
    strength = {NO: 0, MORE: 1, YES: 2}
    pair, preface = (Says(one), Says(other)), Preface()
    assert strength[All(pair).match(preface)] == min(strength[one], strength[other])
    assert strength[Any(pair).match(preface)] == max(strength[one], strength[other])
    assert Not(All(pair)).match(preface) is Any((Not(Says(one)), Not(Says(other)))).match(preface)


@pytest.mark.parametrize(
    ("matcher", "http", "delays"),
    [
        (All((Ssh(), Silence(0.5))), False, (0.5,)),
        (Any((Silence(1.0), Silence(0.5), Path(b"/"))), True, (1.0, 0.5)),
        (Not(All((Method(frozenset([b"GET"])), Silence(2.0)))), True, (2.0,)),
        (Not(Ssh()), False, ()),
    ],
)
def test_what_combinations_ask(matcher: Matcher, http: bool, delays: tuple[float, ...]) -> None:
    assert matcher.http is http
    assert matcher.delays == delays


@pytest.mark.parametrize(
    ("matcher", "words"),
    [
        (Prefix(b"/a/"), "prefix /a/"),
        (Path(b"/a"), "path /a"),
        (Host(names("b", "a")), "host a or b"),
        (Method(frozenset([b"GET", b"POST"])), "method GET or POST"),
        (Header(b"a"), "header a"),
        (Header(b"a", b"b"), "header a = b"),
        (Header(b"a", re.compile(b"^b")), "header a like ^b"),
        (Tls(), "tls"),
        (Tls(names("a"), frozenset([b"h2"])), "tls sni a alpn h2"),
        (Bytes(b"\x00a"), "bytes b'\\x00a'"),
        (Pattern(re.compile(b"a"), 5), "bytes like b'a' within 5"),
        (Silence(0.5), "silence 0.5"),
        (Default(), "default"),
        (Not(Any((Ssh(), All((Ssh(), Silence(1.0)))))), "not(any(ssh, all(ssh, silence 1)))"),
    ],
)
def test_in_words(matcher: Matcher, words: str) -> None:
    assert str(matcher) == words


def test_matchers_are_values() -> None:
    assert Tls(names("a")) == Tls(names("A."))
    assert len({Pattern(re.compile(b"a")), Pattern(re.compile(b"a")), Bytes(b"a"), Bytes(b"b")}) == 3
