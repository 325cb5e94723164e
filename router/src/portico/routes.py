"""Routes as `portico.toml` writes them, and what the route table makes of them.

A route is a conjunction: all its conditions must hold. `any` in it makes several rules of it, one for each alternative, so that
each is found by its own path and has its own place in the order. What stands in `not` is asked as a whole.

A route with a redirect holds for plain connections only: one that came by TLS goes on to the other routes, so no redirect ever
leads to itself.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from .conditions import BadRoute, Conditions, check_flag, has_conditions, members, own
from .core.matchers import Matcher, Not, Path, Prefix, Tls
from .core.rule import Rule
from .core.table import RouteTable
from .redirect import Redirect

if TYPE_CHECKING:
    from .service import Refusals

__all__ = ["ALTERNATIVES", "BadRoute", "Route", "make_table"]

ALTERNATIVES = 64
"""Rules that one route may stand for: `any` beside `any` multiplies."""

T = TypeVar("T")

_PLAIN = Not(Tls())


class Route(Conditions, forbid_unknown_fields=True, frozen=True):
    """Conditions, and what becomes of the connections for which they hold: a service gets them, or they are redirected."""

    service: str | None = None
    default: bool | None = None
    """For what no other route matches."""
    redirect: str | None = None
    """`https`, or `https:8443`: the same URI there."""

    @property
    def pattern(self) -> str:
        """Its own place on the path, as `svckit.routemap` writes it; empty where it has none."""
        return f"={self.path}" if self.path is not None else self.prefix or ""


def make_table(
    routes: Sequence[Route], services: Mapping[str, T], refusals: "Refusals | None" = None
) -> RouteTable[T | Redirect]:
    """The table that finds, for each connection, a value of `services`, or a redirect, which answers by `refusals`.

    Raises:
        BadRoute: the text names the key and what was expected.
    """
    rules: list[Rule[T | Redirect]] = []
    for number, route in enumerate(routes):
        where = f"routes[{number}]"
        for rule in _rules(route, number, _destination(route, services, refusals, where), where):
            rules.append(rule if route.redirect is None else _plain_only(rule, where))
    try:
        return RouteTable(rules)
    except ValueError as error:
        raise BadRoute(f"routes: {error}") from None


def _destination(route: Route, services: Mapping[str, T], refusals: "Refusals | None", where: str) -> T | Redirect:
    if (route.service is None) == (route.redirect is None):
        raise BadRoute(f"{where}: expected either `service` or `redirect`, found {'both' if route.service else 'neither'}")
    if route.redirect is not None:
        try:
            return Redirect.of(route.redirect, refusals)
        except ValueError as error:
            raise BadRoute(f"{where}.redirect: {error}") from None
    if route.service is None or route.service not in services:
        known = ", ".join(sorted(services)) or "none"
        raise BadRoute(f"{where}.service: expected one of the services ({known}), found {route.service!r}")
    return services[route.service]


def _plain_only(rule: Rule[T], where: str) -> Rule[T]:
    """The same for connections without TLS, as a redirect is."""
    if rule.default:
        raise BadRoute(f'{where}: expected `prefix = "/"` beside `redirect`, found `default`')
    if any(isinstance(condition, Tls) for condition in rule.conditions):
        raise BadRoute(f"{where}: expected no `tls` beside `redirect`, which is for plain connections")
    if rule.pattern is None:
        raise BadRoute(f"{where}: expected a condition on the request beside `redirect`, such as `prefix`")
    conditions = rule.conditions if _PLAIN in rule.conditions else (*rule.conditions, _PLAIN)
    return Rule(rule.service, rule.number, rule.pattern, conditions)


def _rules(route: Route, number: int, service: T, where: str) -> Iterator[Rule[T]]:
    check_flag(route.default, f"{where}.default")
    if route.default:
        if has_conditions(route):
            raise BadRoute(f"{where}: expected no other condition beside `default`")
        yield Rule(service, number, default=True)
        return
    ways = _alternatives(route, where)
    if len(ways) > ALTERNATIVES:
        raise BadRoute(f"{where}: expected at most {ALTERNATIVES} alternatives, found more")
    for way in ways:
        pattern, conditions = _place(way)
        yield Rule(service, number, pattern, conditions)


def _place(way: Sequence[Matcher]) -> tuple[str | None, tuple[Matcher, ...]]:
    """The most specific place on the path among the conditions, and the conditions without it."""
    exact = [condition for condition in way if isinstance(condition, Path)]
    prefixes = [condition for condition in way if isinstance(condition, Prefix)]
    chosen: Path | Prefix | None = exact[0] if exact else max(prefixes, key=lambda found: len(found.prefix), default=None)
    rest = tuple(condition for condition in way if condition is not chosen)
    if isinstance(chosen, Path):
        return f"={chosen.path.decode()}", rest
    if chosen is not None:
        return chosen.prefix.decode(), rest
    return ("/" if any(condition.http for condition in rest) else None), rest


def _alternatives(conditions: Conditions, where: str) -> list[tuple[Matcher, ...]]:
    """The ways in which all of `conditions` can hold, each a conjunction."""
    factors = [[tuple(own(conditions, where))]]
    for index, member in enumerate(members(conditions.all, f"{where}.all")):
        factors.append(_alternatives(member, f"{where}.all[{index}]"))
    if conditions.any is not None:
        listed = enumerate(members(conditions.any, f"{where}.any"))
        factors.append([way for index, member in listed for way in _alternatives(member, f"{where}.any[{index}]")])
    bounded = itertools.islice(itertools.product(*factors), ALTERNATIVES + 1)
    return [tuple(itertools.chain.from_iterable(parts)) for parts in bounded]
