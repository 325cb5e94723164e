"""Work with the database, behind a queue with an end; threads are only pretended."""

from typing import Any

from authsvc.jobs import Jobs
from sqlalchemy.exc import OperationalError
from svckit.auth.commands import Busy
from twisted.internet.defer import Deferred


class Bench:
    def __init__(self, **options: Any) -> None:
        self.queue: list[Any] = []
        self.jobs = Jobs(self.run_in_thread, **options)

    def run_in_thread(self, function: Any, *arguments: Any) -> "Deferred[Any]":
        result: Deferred[Any] = Deferred()
        self.queue.append((result, function, arguments))
        return result

    def ask(self, function: Any, *arguments: Any) -> list[Any]:
        results: list[Any] = []
        Deferred.fromCoroutine(self.jobs.run(function, *arguments)).addBoth(
            lambda result: results.append(getattr(result, "value", result))
        )
        return results

    def work(self) -> None:
        while self.queue:
            result, function, arguments = self.queue.pop(0)
            try:
                result.callback(function(*arguments))
            except Exception:
                result.errback()


def broken() -> None:
    raise OperationalError("SELECT secret", {"password": "secret"}, Exception("the server\n is gone"))


def test_results_and_faults_come_back() -> None:
    bench = Bench()
    right, wrong = bench.ask(max, 1, 2), bench.ask(int, "x")
    assert right == []
    bench.work()
    assert right == [2]
    assert isinstance(wrong[0], ValueError)


def test_a_full_queue_is_busy_and_empties_again() -> None:
    bench = Bench(limit=2)
    waiting = [bench.ask(max, 1, number) for number in range(3)]
    assert isinstance(waiting[2][0], Busy)
    bench.work()
    assert waiting[:2] == [[1], [1]]
    again = bench.ask(max, 1, 2)
    bench.work()
    assert again == [2]


def test_a_database_that_does_not_answer_is_busy_and_said_once(log: list[Any]) -> None:
    bench = Bench()
    answers = [bench.ask(broken) for _ in range(3)]
    bench.work()
    assert all(isinstance(answer[0], Busy) for answer in answers)
    well = [bench.ask(max, 1, 2) for _ in range(2)]
    bench.work()
    assert well == [[2], [2]]
    assert [(event["log_format"], event.get("reason")) for event in log if event["log_namespace"] == "authsvc.jobs"] == [
        ("the database does not answer: {reason}", "the server is gone"),
        ("the database answers again", None),
    ]
