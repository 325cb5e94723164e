"""Several workers' status and metrics as one."""

import pytest
from portico.measures import Measures
from portico.merging import merged_metrics, merged_status
from portico.metrics import make_page
from portico.report import ReplicaReport, Report, ServiceReport

ONE = {
    "listeners": ["0.0.0.0:80"],
    "draining": False,
    "waiting": 1,
    "tls_sessions": 2,
    "held": 3,
    "pauses": {"connections": 1},
    "counts": {"accepted": 5, "answered 404": 1},
    "routes": [{"pattern": "/", "service": "web"}],
    "services": {
        "web": {
            "target": "handoff",
            "folder": "/run/web",
            "queued": 1,
            "drained": ["/run/web/b.sock", "/run/web/c.sock"],
            "replicas": [
                {"replica": "a", "state": "ready", "open": 7, "capacity": 10},
                {"replica": "b", "state": "connecting", "open": 0, "capacity": 10},
            ],
        },
        "app": {
            "target": "tcp",
            "address": "app:80",
            "queued": 0,
            "drained": [],
            "replicas": [{"replica": "x:80", "state": "ready", "open": 3}],
        },
    },
}
TWO = {
    **ONE,
    "draining": True,
    "waiting": 4,
    "held": 4,
    "pauses": {"connections": 2, "descriptors": 1},
    "counts": {"accepted": 2, "returned": 9},
    "services": {
        "web": {
            "target": "handoff",
            "folder": "/run/web",
            "queued": 2,
            "drained": ["/run/web/a.sock", "/run/web/b.sock"],
            "replicas": [
                {"replica": "b", "state": "ready", "open": 4, "capacity": 10},
                {"replica": "a", "state": "ready", "open": 8, "capacity": 10},
                {"replica": "c", "state": "ready", "open": 1, "capacity": 10},
            ],
        },
        "app": {
            "target": "tcp",
            "address": "app:80",
            "queued": 0,
            "drained": [],
            "replicas": [{"replica": "x:80", "state": "ejected", "open": 4}],
        },
        "new": {"target": "tcp", "address": "new:80", "queued": 1, "drained": [], "replicas": []},
    },
}


def test_status() -> None:
    assert merged_status([ONE, TWO]) == {
        "listeners": ["0.0.0.0:80"],
        "draining": True,
        "waiting": 5,
        "tls_sessions": 4,
        "held": 7,
        "pauses": {"connections": 3, "descriptors": 1},
        "counts": {"accepted": 7, "answered 404": 1, "returned": 9},
        "routes": ONE["routes"],
        "services": {
            "web": {
                "target": "handoff",
                "folder": "/run/web",
                "queued": 3,
                "drained": ["/run/web/a.sock", "/run/web/b.sock", "/run/web/c.sock"],
                "replicas": [
                    {"replica": "a", "state": "ready", "open": 8, "capacity": 10},  # each router is told of all
                    {"replica": "b", "state": "connecting", "open": 4, "capacity": 10},
                    {"replica": "c", "state": "ready", "open": 1, "capacity": 10},
                ],
            },
            "app": {
                "target": "tcp",
                "address": "app:80",
                "queued": 0,
                "drained": [],
                "replicas": [{"replica": "x:80", "state": "ejected", "open": 7}],
            },
            "new": {"target": "tcp", "address": "new:80", "queued": 1, "drained": [], "replicas": []},
        },
    }


def test_status_of_one_and_of_none() -> None:
    assert merged_status([ONE]) == ONE
    assert merged_status([]) == {}


def page(accepted: int, open_: int) -> bytes:
    measures = Measures()
    measures.accepted = accepted
    measures.deciding.add(0.003)
    report = Report(services={"web": ServiceReport("handoff", [ReplicaReport('a"b\\', "ready", open_)])})
    return make_page(measures, lambda: report)()


def labelled(page: bytes, worker: str) -> set[str]:
    lines = [line for line in page.decode().splitlines() if not line.startswith("#")]
    return {
        name.replace("}", f',worker="{worker}"}}') + " " + value if "{" in name else f'{name}{{worker="{worker}"}} {value}'
        for name, _, value in (line.rpartition(" ") for line in lines)
    }


def test_metrics() -> None:
    """Every sample of every page, with its worker; each family once, with its own type and help."""
    one, two = page(5, 1), page(7, 2)
    merged = merged_metrics({"0": one, "1": two})
    lines = merged.decode().splitlines()
    assert {line for line in lines if not line.startswith("#")} == labelled(one, "0") | labelled(two, "1")
    assert [line for line in lines if line.startswith("#")] == [line for line in one.decode().splitlines() if line[:1] == "#"]
    assert 'portico_accepted_total{worker="0"} 5.0' in lines
    assert 'portico_decision_seconds_count{worker="1"} 1.0' in lines


def test_metrics_of_none() -> None:
    assert merged_metrics({}) == b""


def test_what_are_no_metrics() -> None:
    with pytest.raises(ValueError, match="could not convert string to float"):
        merged_metrics({"0": b"portico_waiting many\n"})


@pytest.mark.parametrize(
    ("states", "merged"),
    [
        (("ready", "resting"), "ready"),
        (("resting", "ready"), "ready"),
        (("resting", "resting"), "resting"),
        (("ready", "drained"), "drained"),
        (("resting", "ejected"), "ejected"),
    ],
)
def test_a_name_that_one_of_them_asks_for_is_not_at_rest(states: tuple[str, str], merged: str) -> None:
    statuses = [{"services": {"app": {"target": "tcp", "replicas": [{"replica": "x:80", "state": state}]}}} for state in states]
    (replica,) = merged_status(statuses)["services"]["app"]["replicas"]
    assert replica["state"] == merged


@pytest.mark.parametrize(
    ("states", "said"),
    [(("full", "full"), "full"), (("full", "ready"), "ready"), (("resting", "full"), "full"), (("full", "down"), "down")],
)
def test_what_a_tcp_replica_may_have_is_the_sum_of_what_each_worker_gives_it(states: tuple[str, str], said: str) -> None:
    replicas = [{"replica": "x:80", "state": state, "open": number, "capacity": 2} for number, state in enumerate(states)]
    statuses = [{"services": {"app": {"target": "tcp", "replicas": [replica]}}} for replica in replicas]
    (found,) = merged_status(statuses)["services"]["app"]["replicas"]
    assert found == {"replica": "x:80", "state": said, "open": 1, "capacity": 4}
