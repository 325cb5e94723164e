"""The table of `portico status`."""

from portico.report import ReplicaReport, Report, ServiceReport, WorkerReport, table


def test_a_line_for_each_replica() -> None:
    report = Report(
        listeners=["0.0.0.0:80", "[::]:443"],
        waiting=3,
        held=7,
        tls_sessions=4,
        counts={"accepted": 1_000, "returned": 20, "answered 503": 5, "answered 404": 2},
        services={
            "app": ServiceReport("tcp", [ReplicaReport("10.0.0.1:8000", open=2)], address="app:8000"),
            "none": ServiceReport("handoff", queued=17),
            "static": ServiceReport(
                "handoff", [ReplicaReport("one", "ready", 3, 960), ReplicaReport("two", "draining", 12, 960)], queued=0
            ),
        },
    )
    assert table(report) == (
        "listening on 0.0.0.0:80, [::]:443\n"
        "accepted 1000, handed back 20, waiting 3, TLS clients 4, held in all 7\n"
        "answered 404: 2, answered 503: 5\n"
        "\n"
        "SERVICE  TARGET        REPLICA        STATE     OPEN  CAPACITY  QUEUED\n"
        "app      tcp app:8000  10.0.0.1:8000  ready        2         -       0\n"
        "none     handoff       none           -            -         -      17\n"
        "static   handoff       one            ready        3       960       0\n"
        "                       two            draining    12       960\n"
    )


def test_why_there_is_no_replica() -> None:
    services = {
        "asleep": ServiceReport("tcp", address="a:1", state="resting"),
        "gone": ServiceReport("tcp", address="b:1", state="no address", queued=2),
    }
    assert table(Report(services=services)).splitlines()[-2:] == [
        "asleep   tcp a:1  none     resting        -         -       0",
        "gone     tcp b:1  none     no address     -         -       2",
    ]


def test_a_router_that_drains_and_has_nothing() -> None:
    assert table(Report(draining=True)) == (
        "draining, was listening on nothing\n"
        "accepted 0, handed back 0, waiting 0, TLS clients 0, held in all 0\n"
        "\n"
        "SERVICE  TARGET  REPLICA  STATE  OPEN  CAPACITY  QUEUED\n"
    )


def test_workers() -> None:
    report = Report(workers=[WorkerReport(0, 17, "ready"), WorkerReport(1, None, "waiting")])
    assert table(report).splitlines()[2] == "workers: 0 ready (process 17), 1 waiting"


def test_a_replica_cannot_write_on_the_terminal() -> None:
    text = table(Report(services={"a": ServiceReport("handoff", [ReplicaReport("\x1b[2Jx\n", "\u202e")])}))
    assert "\\x1b[2Jx\\n" in text
    assert "\\u202e" in text
    assert "\x1b" not in text
    assert text.count("\n") == 5


def test_names_with_letters_of_any_language_stay() -> None:
    assert " \u00e9t\u00e9 " in table(Report(services={"a": ServiceReport("handoff", [ReplicaReport("\u00e9t\u00e9")])}))
