"""A result as tables: for the terminal and for the pages. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from .figures import ratio
from .findings import DIRECT
from .router.measures import ALL
from .targets import Judged, judge

__all__ = ["align", "growth_rows", "idle_rows", "markdown", "measure_rows", "missing", "target_rows", "verdict"]

Row = Sequence[str]
HELD = (
    "", "idle connection", "descriptors", "slow reader", "and in the kernel", "replica's first connection",
    "CPU in an idle second",
)  # fmt: skip
HEAD = ("", "a second", "spread", "of direct", "router CPU", "backend CPU", "p50", "p99")
BACKEND = HEAD.index("backend CPU")


def verdict(holds: bool | None) -> str:
    return {True: "holds", False: "does not hold", None: "unknown"}[holds]


def target_rows(result: Mapping[str, Any]) -> list[Row]:
    """Each target, its value, and whether it holds."""
    rows: list[Row] = [("", "target", "value", "")]
    return rows + [(each.title, each.target, each.value, verdict(each.holds)) for each in judge(result)]


def measure_rows(result: Mapping[str, Any], key: str) -> list[Row]:
    """All contenders in one measure; those without a figure say why, those with fewer samples than rounds how many."""
    measure, found = ALL[key], result["measures"].get(key, {})
    bulk, rounds = measure.unit == "GiB", result["rounds"]
    rows: list[Row] = [HEAD]
    for name, said in result["contenders"].items():
        if name not in found:
            rows.append((name, said or ("one service for a connection" if measure.each_prefix else "not measured")))
            continue
        each = found[name]
        of = ratio(each["rate"], found.get(DIRECT, {}).get("rate"))
        rows.append(
            (
                name,
                f"{each['rate']:.2f} GiB" if bulk else f"{each['rate']:,.0f}",
                f"{each['spread']:.0%}" + (f" ({each['samples']} of {rounds})" if each["samples"] < rounds else ""),
                f"{of:.2f}" if of is not None else "",
                "" if name == DIRECT else _cost(each["cpu"], bulk),
                _cost(each.get("backend"), bulk),
                _time(each["p50"]),
                _time(each["p99"]),
            )
        )
    if not any("backend" in each for each in found.values()):  # results of old have none
        return [[*row[:BACKEND], *row[BACKEND + 1 :]] for row in rows]
    return rows


def _cost(seconds: float | None, bulk: bool) -> str:
    """For a GiB, or for something small."""
    if seconds is None:
        return ""
    return f"{seconds:.3f} s" if bulk else f"{seconds * 1e6:.1f} µs"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1e6:.0f} µs" if seconds < 0.001 else f"{seconds * 1e3:.2f} ms"


def idle_rows(result: Mapping[str, Any]) -> list[Row]:
    """Memory: idle connections, readers that do not read, a replica's first connection."""
    rows: list[Row] = [HELD]
    for name, said in result["contenders"].items():
        idle, slow, start = (result[part].get(name) for part in ("idle", "slow", "start"))
        if name == DIRECT and not start:
            continue
        rows.append(
            (
                name,
                f"{max(0.0, idle['bytes_each']) / 1024:.2f} KiB (of {idle['count']:,})" if idle else said or "not measured",
                f"{idle['descriptors_each']:.1f}" if idle else "",
                f"{slow['router_each'] / 1024:.0f} KiB" if slow else "",
                f"{slow['kernel_each'] / 1024:.0f} KiB" if slow else "",
                f"{start['after_ready'] * 1e3:.0f} ms (process: {start['after_start'] * 1e3:.0f} ms)" if start else "",
                _resting(result, name),
            )
        )
    return rows


def _resting(result: Mapping[str, Any], name: str) -> str:
    found = result.get("resting", {}).get(name)
    return "" if found is None else f"{found * 1e3:.1f} ms"


def growth_rows(result: Mapping[str, Any]) -> list[Row]:
    """Router CPU of a new connection as things grow."""
    rows: list[Row] = [("", "how many", "router CPU of a new connection", "connections a second")]
    for what, grown in result["growth"].items():
        for count, each in grown.items():
            rows.append((what, f"{int(count):,}", f"{each['cpu'] * 1e6:.1f} µs", f"{each['rate']:,.0f}"))
    return rows


def missing(result: Mapping[str, Any]) -> list[Judged]:
    """The targets that do not hold."""
    return [each for each in judge(result) if each.holds is False]


def align(rows: Sequence[Row]) -> str:
    """For the terminal."""
    full = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(len(row[at]) for row in full) for at in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    lines = []
    for row in rows:  # one that is shorter has words in place of figures, which widen no column
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=False))]
        lines.append("  ".join(cells if len(row) == len(rows[0]) else (cells[0], *row[1:])).rstrip())
    return "\n".join(lines)


def markdown(rows: Sequence[Row]) -> str:
    """For a page; the first row is the head."""
    width = len(rows[0])
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * width, *lines[1:]])
