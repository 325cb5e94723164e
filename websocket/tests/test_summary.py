from typing import Any

from websocketsvc.summary import summary


def router(**changed: object) -> dict[str, object]:
    status: dict[str, object] = {
        "listeners": ["0.0.0.0:8080"],
        "draining": False,
        "held": 1,
        "waiting": 2,
        "counts": {"accepted": 10, "returned": 3},
        "services": {
            "static": {"target": "handoff", "queued": 1, "replicas": [{"replica": "a", "state": "ready", "open": 5}]},
            "app": {
                "target": "tcp",
                "address": "app:8000",
                "queued": 0,
                "replicas": [{"replica": "b", "state": "ready", "open": 2}],
            },
        },
    }
    return {**status, **changed}


def test_no_router() -> None:
    numbers = dict.fromkeys(("routers", "accepted", "returned", "held", "waiting"), 0)
    assert summary([]) == {**numbers, "draining": False, "services": {}}


def test_one_router() -> None:
    told: dict[str, Any] = summary([router()])
    assert (told["accepted"], told["returned"], told["held"], told["waiting"]) == (10, 3, 1, 2)
    assert list(told["services"]) == ["app", "static"]
    assert told["services"]["static"] == {
        "target": "handoff",
        "queued": 1,
        "open": 5,
        "replicas": [{"replica": "a", "state": "ready", "open": 5}],
    }
    assert "8000" not in str(told) and "8080" not in str(told)


def test_several_routers() -> None:
    replicas = [{"replica": "a", "state": "drained", "open": 4}, {"replica": "c"}]
    other = router(draining=True, services={"static": {"target": "handoff", "queued": 2, "replicas": replicas}, "new": {}})
    told: dict[str, Any] = summary([router(), other])
    assert (told["routers"], told["accepted"], told["draining"]) == (2, 20, False)
    static = told["services"]["static"]
    assert (static["queued"], static["open"]) == (3, 5)
    assert static["replicas"] == [
        {"replica": "a", "state": "drained", "open": 5},
        {"replica": "c", "state": "ready", "open": 0},
    ]
    assert told["services"]["app"]["open"] == 2
    told_twice: dict[str, Any] = summary([router(), router()])
    assert told_twice["services"]["app"]["open"] == 4
    assert told["services"]["new"] == {"target": "", "queued": 0, "open": 0, "replicas": []}
