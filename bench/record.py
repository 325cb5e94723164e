"""A result as it is kept: one JSON file for each date under `bench/results/`, small enough to read."""

import json
from pathlib import Path
from typing import Any

from .figures import significant

__all__ = ["RESULTS", "newest", "read", "trimmed", "write"]

RESULTS = Path(__file__).with_name("results")


def trimmed(value: Any) -> Any:
    """The same with numbers of as many digits as count."""
    if isinstance(value, float):
        return significant(value)
    if isinstance(value, dict):
        return {key: trimmed(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [trimmed(each) for each in value]
    return value


def write(result: dict[str, Any], folder: Path) -> Path:
    """As `DATE.json`, in place of another of that date."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['date']}.json"
    path.write_text(json.dumps(trimmed(result), indent=1, ensure_ascii=False) + "\n")
    return path


def read(path: Path) -> dict[str, Any]:
    """As it was written."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def newest(folder: Path = RESULTS) -> Path:
    """The last one by its date.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sorted(folder.glob("*.json"))
    if not found:
        raise FileNotFoundError(f"no result in {folder}: `make bench FULL=1` makes one")
    return found[-1]
