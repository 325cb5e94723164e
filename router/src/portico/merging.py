"""What several workers say of themselves, as one: their `/status` and their `/metrics`. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

__all__ = ["merged_metrics", "merged_status"]

Status = Mapping[str, Any]


def merged_status(statuses: Sequence[Status]) -> dict[str, Any]:
    """One status of many: counts are summed, services and replicas stand together by name; the rest is the first one's.

    What is open, and may be, is summed for tcp replicas. A handoff replica tells every router how many connections it has in
    all, so there it is the largest number.
    """
    if not statuses:
        return {}
    return {
        **statuses[0],
        "draining": any(status.get("draining") for status in statuses),
        "waiting": _sum(statuses, "waiting"),
        "tls_sessions": _sum(statuses, "tls_sessions"),
        "held": _sum(statuses, "held"),
        "pauses": _summed([status.get("pauses", {}) for status in statuses]),
        "counts": _summed([status.get("counts", {}) for status in statuses]),
        "services": {
            name: _service([status["services"][name] for status in statuses if name in status.get("services", {})])
            for name in _names(status.get("services", {}) for status in statuses)
        },
    }


def _service(found: Sequence[Status]) -> dict[str, Any]:
    replicas: dict[str, list[Status]] = {}
    for service in found:
        for replica in service.get("replicas", ()):
            replicas.setdefault(replica["replica"], []).append(replica)
    shared = found[0].get("target") == "handoff"
    together = [_replica(each, shared) for each in replicas.values()]
    drained = sorted({name for service in found for name in service.get("drained", ())})
    return {**found[0], "queued": _sum(found, "queued"), "drained": drained, "replicas": together}


def _replica(found: Sequence[Status], shared: bool) -> dict[str, Any]:
    numbers = [replica.get("open", 0) for replica in found]
    states = [replica.get("state", "ready") for replica in found]
    # a name that one asks for is not at rest, and where one has room it is not full
    calm = ("ready", "resting") if shared else ("ready", "full", "resting")
    unready = [state for state in states if state not in calm]
    state = unready[0] if unready else next(state for state in calm if state in states)
    together = {**found[0], "state": state, "open": max(numbers) if shared else sum(numbers)}
    if not shared and "capacity" in together:
        together["capacity"] = sum(replica.get("capacity", 0) for replica in found)
    return together


def _sum(found: Iterable[Status], key: str) -> int:
    return sum(each.get(key, 0) for each in found)


def _summed(found: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: _sum(found, name) for name in _names(found)}


def _names(found: Iterable[Mapping[str, object]]) -> dict[str, None]:
    """All keys, each once, in the order in which they are met."""
    return dict.fromkeys(name for each in found for name in each)


class _Together(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def merged_metrics(pages: Mapping[str, bytes]) -> bytes:
    """One page of many, in Prometheus' text format: every sample with the label `worker`, which names its page.

    Raises:
        ValueError: a page is not in that format.
    """
    families: dict[str, Metric] = {}
    for worker, page in pages.items():
        for found in text_string_to_metric_families(page.decode()):
            family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
            for sample in found.samples:
                family.add_sample(sample.name, {**sample.labels, "worker": worker}, sample.value)
    return generate_latest(_Together(families.values()))
