"""What `portico top` shows: one screen, made of the router's last statuses. Pure.

Lines are cut to the terminal's width before colour is added, so a control sequence is never cut through. A replica that has
just come is bright for a few looks; one that has gone is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .report import Report, ServiceReport, plain

__all__ = ["History", "screen"]

LOOKS = 120
"""Looks that are remembered, for the curve."""
NEW_FOR = 5
"""Looks for which a replica counts as new."""
BARS = "▁▂▃▄▅▆▇█"

_GREEN, _YELLOW, _BRIGHT, _DIM, _BOLD, _END = "\x1b[32m", "\x1b[33m", "\x1b[1;7;32m", "\x1b[2m", "\x1b[1m", "\x1b[0m"


@dataclass(slots=True)
class History:
    """What the looks so far have told."""

    rates: list[float] = field(default_factory=list)
    """Connections accepted a second, between each two looks."""
    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many looks ago each replica was seen first."""
    last: tuple[float, int] | None = None

    def add(self, report: Report, now: float) -> None:
        """`now` is in seconds, by any clock that goes evenly."""
        accepted = report.counts.get("accepted", 0)
        if self.last is not None and now > self.last[0]:
            # a router that was started again counts from 0
            self.rates = [*self.rates[1 - LOOKS :], max(accepted - self.last[1], 0) / (now - self.last[0])]
        first = self.last is None
        self.last = (now, accepted)
        there = {(name, each.replica) for name, service in report.services.items() for each in service.replicas}
        self.seen = {key: self.seen.get(key, NEW_FOR if first else -1) + 1 for key in there}

    def is_new(self, service: str, replica: str) -> bool:
        return self.seen.get((service, replica), NEW_FOR) < NEW_FOR


class _Line:
    """A line of limited width, with colour."""

    def __init__(self, width: int, colour: bool) -> None:
        self._left, self._colour, self._parts = width, colour, [""]

    def add(self, text: str, sgr: str = "") -> "_Line":
        text = text[: self._left]
        self._left -= len(text)
        self._parts.append(f"{sgr}{text}{_END}" if sgr and text and self._colour else text)
        return self

    def has_room(self, *texts: str) -> bool:
        return sum(map(len, texts)) <= self._left

    def __str__(self) -> str:
        return "".join(self._parts).rstrip()


def screen(report: Report, history: History, width: int, height: int, colour: bool = True) -> str:
    """The lines of a terminal of `width` by `height`; what does not fit is counted in the last one."""
    counts = report.counts
    head = _Line(width, colour).add("Portico", _BOLD)
    head.add(
        f"  {'draining, was ' if report.draining else ''}listening on {', '.join(map(plain, report.listeners)) or 'nothing'}"
    )
    if report.workers:
        head.add(f"  {len(report.workers)} workers", _DIM)
    rate = history.rates[-1] if history.rates else 0.0
    curve = _Line(width, colour).add(f"{rate:8.1f}", _BOLD).add(" connections/s  ")
    curve.add(_curve(history.rates, max(width - 25, 0)), _GREEN)
    numbers = _Line(width, colour)
    for text, value in (
        ("accepted", counts.get("accepted", 0)),
        ("handed back", counts.get("returned", 0)),
        ("with services", sum(each.open for service in report.services.values() for each in service.replicas)),
        ("held here", report.held),
        ("not decided", report.waiting),
    ):
        numbers.add(f"  {text} ").add(f"{value:,}", _BOLD)
    lines = [str(head), "", str(curve), str(numbers), ""]
    name_width = max([7, *(len(plain(name)) for name in report.services)])
    lines.append(
        str(_Line(width, colour).add(f"{'SERVICE':{name_width}}  {'TARGET':10}  {'OPEN':>6}  {'QUEUED':>6}  REPLICAS", _DIM))
    )
    rows = [_row(name, service, history, name_width, width, colour) for name, service in report.services.items()]
    room = height - len(lines) - 1
    if len(rows) > room:
        rows = [*rows[: max(room - 1, 0)], f"and {len(rows) - max(room - 1, 0)} more services"]
    return "\n".join([*lines, *rows][:height])


def _row(name: str, service: ServiceReport, history: History, name_width: int, width: int, colour: bool) -> str:
    line = _Line(width, colour).add(f"{plain(name):{name_width}}", _BOLD)
    total = sum(replica.open for replica in service.replicas)
    line.add(f"  {plain(service.target):10}  {total:6,}  ")
    line.add(f"{service.queued:6,}", _YELLOW if service.queued else "").add("  ")
    for at, replica in enumerate(service.replicas):
        ready = replica.state == "ready"
        sgr = _BRIGHT if history.is_new(name, replica.replica) else _GREEN if ready else _YELLOW
        text = f"{'●' if ready else '○'} {plain(replica.replica)} {replica.open:,}"
        text = text if ready else f"{text} {plain(replica.state)}"
        left = len(service.replicas) - at
        if at and not line.has_room(text, f"  and {left - 1} more" if left > 1 else ""):
            line.add(f"and {left} more", _DIM)
            break
        line.add(text, sgr).add("  ")
    if not service.replicas:
        line.add(plain(service.state) or "none", _YELLOW)
    return str(line)


def _curve(rates: Sequence[float], width: int) -> str:
    shown = rates[-width:] if width else []
    top = max([1.0, *shown])
    return "".join(BARS[min(int(rate / top * len(BARS)), len(BARS) - 1)] for rate in shown)
