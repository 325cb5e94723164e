"""The result as plots: SVG, one for each measure that one looks at first. The only place that needs matplotlib."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .router.measures import ALL

__all__ = ["draw"]

OURS, OTHERS = "#2f6f9f", "#b8b8b8"
COLUMNS = 3


def draw(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Rates and the router's processor time, all measures on one page each; and growth.

    Raises:
        ImportError: matplotlib is not here.
    """
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "portico"  # the same figures make the same file
    matplotlib.rcParams["svg.fonttype"] = "none"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _bars(result, "rate", 1.0, "a second", folder / "rates.svg"),
        _bars(result, "cpu", 1e6, "router CPU, µs (bulk: for a MiB)", folder / "cpu.svg"),
        _growth(result, folder / "growth.svg"),
    ]


def _save(figure: Any, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    return path


def _bars(result: Mapping[str, Any], field: str, scale: float, label: str, path: Path) -> Path:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = -(-len(ALL) // COLUMNS)
    figure = Figure(figsize=(13, 11 * rows / 3))
    figure.suptitle(f"{label}; {result['date']}, {result['form']} form")
    for at, (key, measure) in enumerate(ALL.items()):
        axes = figure.add_subplot(rows, COLUMNS, at + 1)
        found = {name: each for name, each in result["measures"].get(key, {}).items() if field != "cpu" or name != "direct"}
        names = [name for name in reversed(result["contenders"]) if name in found]
        unit = 1024 if field == "cpu" and measure.unit == "GiB" else 1
        values = [found[name][field] * scale / unit for name in names]
        axes.barh(names, values, color=[OURS if name.startswith("portico") else OTHERS for name in names])
        axes.set_title(measure.title, fontsize=9)
        axes.tick_params(labelsize=8, length=0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    return _save(figure, path)


def _growth(result: Mapping[str, Any], path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5))
    axes = figure.add_subplot()
    for what, grown in result["growth"].items():
        counts = sorted(grown, key=int)
        axes.plot([int(count) for count in counts], [grown[count]["cpu"] * 1e6 for count in counts], marker="o", label=what)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("how many there are")
    axes.set_ylabel("router CPU of a new connection, µs")
    if result["growth"]:
        axes.legend(fontsize=8)
    return _save(figure, path)
