"""The route table: which route a connection belongs to.

The order in which routes are considered, the most specific first:

1. routes by what is below HTTP (first bytes, TLS, silence), for they are about the connection;
2. of the HTTP routes those with an exact path, then those with a longer prefix before those with a shorter one; a route
   without a path counts as `prefix = "/"`;
3. the default.

Among equals the one with more conditions comes first, then the one that stands first in the file.

The first route in that order that says yes gets the connection, but none before every route ahead of it has said no: a shorter
prefix waits while a longer one is undecided. The one exception is a route by silence. It is a deadline itself, so when its time
has come it does not wait for those who would still like to see a byte.

Every route is asked again for every new piece. When a complete, sound head of a request is there, the connection speaks HTTP,
and whoever would still need more is taken to say no. The same holds at the deadline.

Finding a route by path costs one look-up for each segment of the deepest pattern, however many routes there are: what is to be
tried at a pattern, shorter ones included, is laid out when the table is made.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

from svckit.paths import BadTarget
from svckit.routemap import RouteMap

from .answers import BAD_HOST, BAD_REQUEST, HEAD_TIMEOUT, NO_ROUTE, SILENT, Answer
from .head import Head
from .hostfield import names_its_host
from .matchers.contract import Matcher
from .matchers.default import Default
from .preface import BadHost, Preface
from .rule import Rule
from .verdict import MORE, NO, YES

__all__ = ["DEFAULT", "RouteTable", "Wait"]

T = TypeVar("T")

DEFAULT = Default()


class Wait(NamedTuple):
    """Undecided: ask again when more has come, and with `final` at the deadline or the client's end."""

    silence: float | None = None
    """Also ask when the client has sent nothing for so many seconds since the connection's beginning."""


class RouteTable(Generic[T]):
    """Rules in order. Immutable: a new configuration is a new table."""

    def __init__(self, rules: Iterable[Rule[T]]) -> None:
        """
        Raises:
            ValueError: two rules ask the same; the text says what.
        """
        self.rules: Sequence[Rule[T]] = tuple(sorted(rules, key=_order))
        """In the order in which they are considered."""
        _refuse_doubles(self.rules)
        self._raw = tuple(rule for rule in self.rules if rule.raw)
        self._raw_by_tls = tuple(rule for rule in self._raw if rule.by_tls)
        self.default = next((rule for rule in self.rules if rule.default), None)
        """The rule for what nothing else matches."""
        self._delays = tuple(sorted({delay for rule in self.rules for delay in rule.delays}))
        by_path = [rule for rule in self.rules if rule.pattern is not None]
        self._chains = _chains(by_path)
        self._find_chain = RouteMap(self._chains.items()).find
        self.plain = not self._raw and not any(rule.conditions for rule in by_path)
        """There is nothing but paths, prefixes and perhaps a default: `find` decides on every sound request."""
        self.find: Callable[[bytes], Rule[T] | None] = RouteMap(
            (str(rule.pattern), rule) for rule in by_path if self.plain
        ).find
        """Where the table is `plain`: the rule for a request of this path (in normal form), or None: then `default`, if any."""
        self.shortest_silence = self._delays[0] if self._delays else None
        """Seconds; None where no route goes by silence. A listener that holds silent connections back must not do so longer."""

    # -- deciding

    def decide(self, preface: Preface) -> Rule[T] | Wait | Answer:
        """The rule that gets the connection, or what to wait for, or what to answer. Always a rule or an answer when final."""
        head = preface.head  # first: whether it is there tells the others whether more may come
        try:
            if self._raw:
                found = self._decide_raw(preface)
                if found is not None:
                    return found
            if isinstance(head, Head):
                return self._decide_request(preface, head)
        except BadHost:
            return BAD_HOST
        except BadTarget:
            return BAD_REQUEST
        return self._without_request(preface, head)

    def _decide_raw(self, preface: Preface) -> Rule[T] | Wait | None:
        undecided = False
        for rule in self._raw_for(preface):
            verdict = rule.match(preface)
            if verdict is YES and (not undecided or rule.timed):
                return rule
            undecided = undecided or verdict is not NO
        return self._wait(preface) if undecided else None

    def _raw_for(self, preface: Preface) -> tuple[Rule[T], ...]:
        """A connection that was handed back is not at its beginning; what TLS has told of it still holds."""
        if not preface.returned:
            return self._raw
        return self._raw_by_tls if preface.tls_ends_here else ()

    def _decide_request(self, preface: Preface, head: Head) -> Rule[T] | Wait | Answer:
        if not names_its_host(head):
            return BAD_HOST
        for rule in self._find_chain(preface.path) or ():
            verdict = rule.match(preface)
            if verdict is YES:
                return rule
            if verdict is MORE:
                return self._wait(preface)
        return self.default or NO_ROUTE

    def _without_request(self, preface: Preface, head: Head | Answer | None) -> Rule[T] | Wait | Answer:
        if head is None and preface.more is MORE:
            return self._wait(preface)
        if self.default is not None:
            verdict = DEFAULT.match(preface)
            if verdict is not NO:
                return self.default if verdict is YES else self._wait(preface)
        if isinstance(head, Answer):
            return head
        return HEAD_TIMEOUT if preface.data else SILENT

    def _wait(self, preface: Preface) -> Wait:
        if preface.data or preface.returned:
            return _WAIT
        return Wait(next((delay for delay in self._delays if delay > preface.silent), None))

    # -- the services' side

    def patterns_for(self, service: T) -> tuple[tuple[str, bool], ...]:
        """For the guard of a service (`svckit.lease.Ownership`): all patterns, each with whether it is this service's.

        The guard knows paths only. A pattern is the service's if each request below it is, whatever its host, method and
        header say. Where that depends on them it counts as not the service's: the request is handed back and routed anew.
        """
        patterns: dict[str, str] = {}
        for rule in sorted(self.rules, key=_number):
            if rule.pattern is not None:
                patterns.setdefault(_key(rule.pattern), rule.pattern)
        found = {shown: self._always(key, service) for key, shown in patterns.items()}
        if self.default is not None and "/" not in patterns:
            found["/"] = self.default.service == service
        return tuple(found.items())

    def _always(self, key: str, service: T) -> bool:
        for rule in self._chains[key]:
            if rule.service != service:
                return False
            if not rule.conditions:
                return True
        return self.default is not None and self.default.service == service


_WAIT = Wait()


def _number(rule: Rule[T]) -> int:
    return rule.number


def _key(pattern: str) -> str:
    """One text for each pattern: `/a/` and `/a` are the same."""
    return pattern if pattern.startswith("=") else pattern.rstrip("/") or "/"


def _order(rule: Rule[T]) -> tuple[int, int, int, int]:
    if rule.pattern is None:
        place, depth = (3 if rule.default else 0), 0
    elif rule.pattern.startswith("="):
        place, depth = 1, 0
    else:
        place, depth = 2, rule.pattern.rstrip("/").count("/")
    return place, -depth, -len(rule.conditions), rule.number


def _refuse_doubles(rules: Iterable[Rule[T]]) -> None:
    seen: set[tuple[str | None, bool, frozenset[Matcher]]] = set()
    for rule in rules:
        asked = (rule.pattern and _key(rule.pattern), rule.default, frozenset(rule.conditions))
        if asked in seen:
            raise ValueError(f"{rule.pattern if rule.pattern and not rule.conditions else rule.asks!r} stands there twice")
        seen.add(asked)


def _chains(rules: Iterable[Rule[T]]) -> dict[str, tuple[Rule[T], ...]]:
    """For each pattern the rules to be tried, its own and those of the shorter ones, up to the first that has no condition."""
    own: dict[str, list[Rule[T]]] = {}
    for rule in rules:
        own.setdefault(_key(str(rule.pattern)), []).append(rule)
    return {key: _chain(key, own) for key in own}


def _chain(key: str, own: dict[str, list[Rule[T]]]) -> tuple[Rule[T], ...]:
    chain: list[Rule[T]] = []
    for pattern in (key, *_shorter(key)):
        for rule in own.get(pattern, ()):
            chain.append(rule)
            if not rule.conditions:
                return tuple(chain)
    return tuple(chain)


def _shorter(key: str) -> Iterator[str]:
    """The prefixes that a path of this pattern lies below, the longest first."""
    if key.startswith("="):
        key = key[1:].rstrip("/") or "/"
        yield key
    while key != "/":
        key = key.rpartition("/")[0] or "/"
        yield key
