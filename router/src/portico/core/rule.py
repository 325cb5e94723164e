"""A rule: one way in which a route matches. A route with `any` at its top has several."""

from typing import Generic, TypeVar

from .matchers.contract import Matcher
from .matchers.not_ import Not
from .matchers.silence import Silence
from .matchers.tls import Tls
from .preface import Preface
from .verdict import MORE, NO, YES, Verdict

__all__ = ["Rule"]

T = TypeVar("T")


class Rule(Generic[T]):
    """Where on the path, under which conditions, to which service."""

    __slots__ = ("by_tls", "conditions", "default", "delays", "name", "number", "pattern", "raw", "service", "timed")

    def __init__(
        self,
        service: T,
        number: int = 0,
        pattern: str | None = None,
        conditions: tuple[Matcher, ...] = (),
        default: bool = False,
    ) -> None:
        """
        Args:
            service: what the table finds.
            number: of the route in its file, from 0.
            pattern: as `svckit.routemap` writes it; needed where a condition speaks of HTTP.
            conditions: all of them must hold.
            default: for what nothing else matches; then there is neither pattern nor condition.
        """
        self.service, self.number, self.pattern, self.conditions, self.default = service, number, pattern, conditions, default
        self.raw = pattern is None and not default
        """It goes by what is below HTTP."""
        self.by_tls = self.raw and all(map(_is_tls, conditions))
        """It goes by nothing but what TLS tells."""
        self.timed = any(isinstance(condition, Silence) for condition in conditions)
        """It matches when a time has come, whatever others would still like to see."""
        self.delays = tuple(delay for condition in conditions for delay in condition.delays)
        """Seconds of silence after which it is to be asked again."""
        self.name = self.asks if pattern is None else pattern
        """What metrics call it: its pattern, or what it asks."""

    def match(self, preface: Preface) -> Verdict:
        """What the conditions say together; the pattern is the table's affair.

        Raises:
            BadTarget: see `Matcher`.
        """
        verdict = YES
        for condition in self.conditions:
            found = condition.match(preface)
            if found is NO:
                return NO
            if found is MORE:
                verdict = MORE
        return verdict

    @property
    def asks(self) -> str:
        """The whole rule, for people."""
        if self.default:
            return "default"
        place = [] if self.pattern is None else [f"path {self.pattern[1:]}" if self.exact else f"prefix {self.pattern}"]
        return ", ".join((*place, *map(str, self.conditions)))

    @property
    def exact(self) -> bool:
        """The pattern is a path and no prefix."""
        return self.pattern is not None and self.pattern.startswith("=")

    def __repr__(self) -> str:
        return f"<Rule {self.number}: {self.asks} -> {self.service}>"


def _is_tls(condition: Matcher) -> bool:
    return isinstance(condition.member if isinstance(condition, Not) else condition, Tls)
