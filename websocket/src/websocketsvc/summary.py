"""What /ws/live tells of the routers' statuses: numbers and names, no addresses and no routes. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["summary"]

Status = Mapping[str, Any]


def summary(statuses: Sequence[Status]) -> dict[str, object]:
    """One view of many routers: counts are summed, services and their replicas stand together by name.

    Connections open at a handoff replica are told by itself to each router, so there it is the largest number, else the sum.
    """
    names = sorted({name for status in statuses for name in status.get("services", {})})
    return {
        "routers": len(statuses),
        "draining": bool(statuses) and all(status.get("draining") for status in statuses),
        "accepted": _sum((status.get("counts", {}) for status in statuses), "accepted"),
        "returned": _sum((status.get("counts", {}) for status in statuses), "returned"),
        "held": _sum(statuses, "held"),
        "waiting": _sum(statuses, "waiting"),
        "services": {
            name: _service([s["services"][name] for s in statuses if name in s.get("services", {})]) for name in names
        },
    }


def _service(found: Sequence[Status]) -> dict[str, object]:
    shared = found[0].get("target") == "handoff"
    replicas: dict[str, list[Status]] = {}
    for service in found:
        for replica in service.get("replicas", ()):
            replicas.setdefault(replica["replica"], []).append(replica)
    told = [_replica(name, replicas[name], shared) for name in sorted(replicas)]
    return {
        "target": found[0].get("target", ""),
        "queued": _sum(found, "queued"),
        "open": sum(replica["open"] for replica in told),
        "replicas": told,
    }


def _replica(name: str, found: Sequence[Status], shared: bool) -> dict[str, Any]:
    numbers = [replica.get("open", 0) for replica in found]
    states = [replica.get("state", "ready") for replica in found]
    state = next((state for state in states if state != "ready"), "ready")
    return {"replica": name, "state": state, "open": max(numbers) if shared else sum(numbers)}


def _sum(found: Iterable[Status], key: str) -> int:
    return sum(each.get(key, 0) for each in found)
