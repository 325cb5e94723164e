"""One question to a matcher: the same answer whole, in pieces, with trailing bytes and as a final one."""

from typing import Any as Anything

from portico.core.clienthello import TlsFacts, make_hello
from portico.core.matchers import (
    Matcher,
)
from portico.core.names import Names
from portico.core.preface import Preface
from portico.core.verdict import MORE, Verdict

H = make_hello(TlsFacts(b"a.example.org", (b"h2", b"http/1.1")))
BARE = make_hello(TlsFacts(None, ()))


def request(target: bytes = b"/", *fields: bytes, method: bytes = b"GET") -> bytes:
    return b"%s %s HTTP/1.1\r\n%s\r\n" % (method, target, b"".join(field + b"\r\n" for field in fields))


def names(*patterns: str) -> Names:
    return Names.of(patterns)


def judged(matcher: Matcher, data: bytes, **given: Anything) -> Verdict:
    """The verdict on a whole preface, as the table would ask: whether it is HTTP is known."""
    preface = Preface(data, **given)
    assert preface.head is None or preface.head
    return matcher.match(preface)


def check(matcher: Matcher, data: bytes, expected: Verdict) -> None:
    """The same verdict whole, in pieces, with trailing bytes, and as a final one; in pieces "need more" until then."""
    assert judged(matcher, data) is expected
    assert judged(matcher, data + b"\0trailing") is expected
    for size in (1, 3):
        preface = Preface()
        seen = []
        for at in range(0, len(data), size):
            preface.add(data[at : at + size])
            assert preface.head is None or preface.head
            seen.append(matcher.match(preface))
        assert seen[-1] is expected
        assert set(seen) <= {MORE, expected}, "it has changed its mind"
        assert seen == sorted(seen, key=lambda verdict: verdict is not MORE), "it has forgotten its verdict"
    preface = Preface(data)
    preface.final = True
    assert preface.head is None or preface.head
    assert matcher.match(preface) is expected
