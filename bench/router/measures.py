"""What is measured with load: for each row what a unit is, who can take part, and how a sample is taken."""

from collections.abc import Callable
from dataclasses import dataclass

from .bulk import download, upload
from .echoes import round_trips
from .exchanges import EACH, TENTH, exchanges
from .sample import Sample
from .stage import Running
from .wrk import measure

__all__ = ["ALL", "UNASKED", "Load", "Measure"]

CONNECTIONS = 64
ECHOES = 200
UNASKED = "/static/1k?"
"""The router remembers no head with a query: the route of each is looked for."""


@dataclass(frozen=True)
class Load:
    """How a sample is taken in this run."""

    seconds: float
    bulk: int
    """Bytes of one large transfer."""
    core: str
    wrk: str | None
    """The program; None: it is not here, and what needs it is left out."""


@dataclass(frozen=True)
class Measure:
    """One row of the results."""

    title: str
    unit: str
    take: Callable[[Running, Load], Sample]
    each_prefix: bool = False
    """Only for those who route by the prefix of each request."""
    by_wrk: bool = False


def _wrk(path: str, *headers: str, service: str = "static") -> Callable[[Running, Load], Sample]:
    def take(contender: Running, load: Load) -> Sample:
        assert load.wrk is not None
        return measure(load.wrk, load.core, contender.port(service), path, CONNECTIONS, load.seconds, *headers)

    return take


def _mixed(order: tuple[str, ...]) -> Callable[[Running, Load], Sample]:
    return lambda contender, load: exchanges(contender.port("static"), order, CONNECTIONS, load.seconds)


def _echo(count: int) -> Callable[[Running, Load], Sample]:
    return lambda contender, load: round_trips(contender.port("ws"), count, load.seconds)


ALL: dict[str, Measure] = {
    "connections": Measure("new connections", "connection", _wrk("/static/1k", "Connection: close"), by_wrk=True),
    "unknown": Measure(
        "new connections with requests that are not remembered", "connection", _wrk(UNASKED, "Connection: close"), by_wrk=True
    ),
    "kept 1k": Measure("requests of 1 KB on kept connections", "request", _wrk("/static/1k"), by_wrk=True),
    "kept 64k": Measure(
        "requests of 64 KB on kept connections", "request", _wrk("/static/64k", service="static-bulk"), by_wrk=True
    ),
    "each": Measure("another prefix at each request", "request", _mixed(EACH), each_prefix=True),
    "tenth": Measure("another prefix at each tenth request", "request", _mixed(TENTH), each_prefix=True),
    "down": Measure(
        "bulk down", "GiB", lambda contender, load: download(contender.port("static-bulk"), load.bulk, load.seconds)
    ),
    "up": Measure("bulk up", "GiB", lambda contender, load: upload(contender.port("uploads-bulk"), load.bulk, load.seconds)),
    "echo 1": Measure("round trips of 64 bytes, 1 connection", "round trip", _echo(1)),
    "echo 200": Measure(f"round trips of 64 bytes, {ECHOES} connections", "round trip", _echo(ECHOES)),
}
