"""What `/status` says, as types; and the table that `portico status` makes of it."""

from msgspec import Struct, field

__all__ = ["ReplicaReport", "Report", "ServiceReport", "WorkerReport", "plain", "table"]

HEADINGS = ("SERVICE", "TARGET", "REPLICA", "STATE", "OPEN", "CAPACITY", "QUEUED")
NUMBERS = HEADINGS.index("OPEN")
"""From this column on they are numbers."""


class ReplicaReport(Struct):
    """One replica."""

    replica: str
    state: str = "ready"
    open: int = 0
    capacity: int | None = None


class ServiceReport(Struct):
    """One service."""

    target: str
    replicas: list[ReplicaReport] = field(default_factory=list)
    queued: int = 0
    address: str = ""
    state: str = ""
    """Why there is no replica, where that is known."""


class WorkerReport(Struct):
    """One of several processes of a router."""

    worker: int
    pid: int | None
    state: str


class Report(Struct):
    """The whole router."""

    listeners: list[str] = field(default_factory=list)
    draining: bool = False
    waiting: int = 0
    tls_sessions: int = 0
    held: int = 0
    pauses: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    services: dict[str, ServiceReport] = field(default_factory=dict)
    workers: list[WorkerReport] = field(default_factory=list)
    """Empty where the router is one process."""


def table(report: Report) -> str:
    """For people: the router's counts, then a line for each replica."""
    state = "draining, was listening" if report.draining else "listening"
    counts = report.counts
    text = [
        f"{state} on {', '.join(map(plain, report.listeners)) or 'nothing'}",
        f"accepted {counts.get('accepted', 0)}, handed back {counts.get('returned', 0)}, "
        f"waiting {report.waiting}, TLS clients {report.tls_sessions}, held in all {report.held}",
    ]
    answers = [f"{plain(name)}: {count}" for name, count in sorted(counts.items()) if name.startswith("answered ")]
    text += [", ".join(answers)] if answers else []
    workers = [f"{each.worker} {plain(each.state)}" + (f" (process {each.pid})" if each.pid else "") for each in report.workers]
    text += ["workers: " + ", ".join(workers)] if workers else []
    rows: list[tuple[str, ...]] = [HEADINGS]
    for name, service in report.services.items():
        rows += _rows(name, service)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    return "\n".join((*text, "", *lines)) + "\n"


def _rows(name: str, service: ServiceReport) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    head = (plain(name), plain(f"{service.target} {service.address}".rstrip()))
    queued = str(service.queued)
    for replica in service.replicas:
        capacity = "-" if replica.capacity is None else str(replica.capacity)
        rows.append((*head, plain(replica.replica), plain(replica.state), str(replica.open), capacity, queued))
        head, queued = ("", ""), ""
    return rows or [(*head, "none", plain(service.state) or "-", "-", "-", queued)]


def _cells(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.rjust(width) if at >= NUMBERS else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def plain(text: str) -> str:
    """A replica chooses its name; it must not move the cursor."""
    return text if text.isprintable() else ascii(text)[1:-1]
