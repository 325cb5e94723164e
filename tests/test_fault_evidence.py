"""What the fault runs take for an explanation of a lost request, on lines as the router writes them."""

from datetime import datetime, timezone
from typing import Any

import docker
import pytest
import requests

from .faults.evidence import ROUTER, Killed, Taker, explained, patiently, takers
from .faults.load import Asked, Page

STATIC, UPLOADS = Page("static", "/static/x", b""), Page("uploads", "/uploads/x", b"")
NOW = 1_800_000_000.0


def asked(page: Page = STATIC, before: Page | None = None) -> Asked:
    return Asked(1, page, before, connected=NOW, began=NOW + 5, ended=NOW + 6, port=4711)


def line(at: float, ms: float = 1, replica: str = "a1", service: str = "static", **other: Any) -> dict[str, object]:
    time = datetime.fromtimestamp(NOW + at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {"log": "access", "how": "handed over", "port": 4711, "time": time, "ms": ms}
    return {**told, "replica": replica, "service": service, **other}


def killed(name: str = "a1", since: float = 5.5, until: float = 5.9) -> Killed:
    return Killed(name, NOW + since, NOW + until)


# -- which lines speak of the connection


def test_takers_come_in_order() -> None:
    lines = [line(4, service="uploads", replica="u"), line(1)]
    assert [(each.service, each.replica) for each in takers(lines, asked())] == [("static", "a1"), ("uploads", "u")]


@pytest.mark.parametrize(
    "other",
    [
        line(-0.1),  # an earlier connection from the same port
        line(6.1),  # a later one
        line(0.5, ms=600),  # came before this one was opened
        line(1, port=4712),
        line(1, how="answered"),
        line(1, log="other"),
    ],
)
def test_lines_of_other_connections_do_not_count(other: dict[str, object]) -> None:
    assert [each.at for each in takers([other, line(2)], asked())] == [NOW + 2]


def test_a_line_at_the_very_beginning_or_end_counts() -> None:
    assert len(takers([line(0, ms=0), line(6)], asked())) == 2


# -- what explains a loss


def taken(at: float = 1, service: str = "static", replica: str = "a1-x") -> Taker:
    return Taker(service, replica, NOW + at)


def test_lost_with_the_one_that_had_taken_it() -> None:
    assert explained(asked(), [taken()], [killed()])
    assert explained(asked(UPLOADS), [taken()], [killed()])  # it had not handed it back yet


@pytest.mark.parametrize(
    "kill", [killed("b2"), killed(since=1.5, until=1.9), killed(since=6.1, until=6.5), killed(since=4.0, until=4.9)]
)
def test_another_replica_or_another_time_is_no_explanation(kill: Killed) -> None:
    assert not explained(asked(), [taken()], [kill])


def test_only_the_last_taker_counts() -> None:
    assert not explained(asked(UPLOADS), [taken(), taken(5.1, "uploads", "u")], [killed()])


def test_one_that_takes_it_after_it_was_killed_is_a_new_process() -> None:
    assert not explained(asked(), [taken(5.95)], [killed()])


def test_nobody_killed_explains_nothing() -> None:
    assert not explained(asked(), [taken()], [])
    assert not explained(asked(), [], [killed()])


def test_the_router_explains_what_nobody_had_taken_for_this_request() -> None:
    router = killed(ROUTER)
    first, crosses, stays = asked(), asked(UPLOADS, before=STATIC), asked(before=STATIC)
    assert explained(first, [], [router])
    assert explained(crosses, [taken()], [router])
    assert explained(crosses, [taken(0.5), taken(1, "uploads", "u")], [router])  # its last line is missing
    assert not explained(stays, [taken()], [router])
    assert not explained(first, [taken(5.1)], [router])
    assert not explained(crosses, [taken(), taken(5.1, "uploads", "u")], [router])


def test_what_a_service_has_answered_was_not_with_the_router() -> None:
    assert not explained(asked(), [], [killed(ROUTER)], answered=True)


def test_the_router_at_another_time_is_no_explanation() -> None:
    assert not explained(asked(), [], [killed(ROUTER, 6.1, 6.5)])


# -- an engine that is busy restarting a container


def refusal(status: int) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = status
    return docker.errors.APIError("refused", response)


def test_a_container_that_is_restarting_is_waited_for() -> None:
    answers = [refusal(409), refusal(404)]

    def do() -> str:
        if answers:
            raise answers.pop()
        return "done"

    assert patiently(do) == "done"


def test_other_refusals_are_not() -> None:
    def do() -> None:
        raise refusal(500)

    with pytest.raises(docker.errors.APIError):
        patiently(do)
