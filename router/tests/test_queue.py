"""A service's queue where the target cannot put through what it has taken, or frees places while it takes."""

from collections.abc import Callable

import pytest
from portico.arrival import Arrival
from portico.config import Limits
from portico.core.answers import LEFT_QUEUE, NO_REPLICA, QUEUE_FULL
from portico.service import RoutedService

from .support.reactor import HandReactor
from .support.wires import Answers, arrive, as_reactor, reset

TIMEOUT = 5.0


class Target:
    """Takes as long as there is room; what it does then is the test's affair."""

    def __init__(self) -> None:
        self.room = 0
        self.taken: list[Arrival] = []
        self.then: Callable[[Arrival], None] = lambda arrival: None

    def offer(self, arrival: Arrival) -> bool:
        if not self.room:
            return False
        self.room -= 1
        self.taken.append(arrival)
        self.then(arrival)
        return True


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def service(reactor: HandReactor, answers: Answers, target: Target) -> RoutedService:
    service = RoutedService("app", Limits(queue_timeout=TIMEOUT, queue_size=4), as_reactor(reactor), answers)
    service.target = target  # type: ignore[assignment]
    return service


def come(service: RoutedService, count: int) -> list[Arrival]:
    made: list[Arrival] = []
    for _ in range(count):
        client, arrival = arrive(b"GET / HTTP/1.1\r\n\r\n")
        client.close()
        service.put_through(arrival)
        made.append(arrival)
    return made


def test_who_comes_again_has_the_place_and_the_time_that_it_had(
    reactor: HandReactor, service: RoutedService, target: Target, answers: Answers
) -> None:
    first, second = come(service, 2)
    reactor.advance(2)
    (late,) = come(service, 1)
    target.room = 2
    service.room()
    service.wait(second)
    service.wait(first)
    target.taken.clear()
    target.room = 1
    service.room()
    assert target.taken in ([first], [second])  # both came at the same time
    service.wait(target.taken[0])
    reactor.advance(TIMEOUT - 2)
    assert sorted(map(id, (arrival for arrival, _ in answers.given))) == sorted(map(id, (first, second)))
    assert answers.kinds == [NO_REPLICA] * 2
    reactor.advance(2)
    assert answers.given[2:] == [(late, NO_REPLICA)]


def test_a_place_that_is_free_while_one_is_taken_goes_to_the_next(service: RoutedService, target: Target) -> None:
    arrivals = come(service, 3)

    def free(arrival: Arrival) -> None:
        target.room += len(target.taken) < 3
        service.room()

    target.then = free
    target.room = 1
    service.room()
    assert target.taken == arrivals
    assert service.queued == 0


def test_one_that_comes_back_at_once_is_not_offered_again_and_again(service: RoutedService, target: Target) -> None:
    arrivals = come(service, 3)
    target.then = service.wait
    target.room = 100
    service.room()
    assert len(target.taken) == 3
    assert set(target.taken) == set(arrivals)
    assert service.queued == 3


def test_one_that_comes_back_may_find_the_queue_full_or_the_service_gone(
    service: RoutedService, target: Target, answers: Answers
) -> None:
    target.room = 1
    (taken,) = come(service, 1)
    come(service, 4)
    service.wait(taken)
    assert answers.given == [(taken, QUEUE_FULL)]
    elsewhere: list[Arrival] = []
    target.retire = lambda patterns: None  # type: ignore[attr-defined]
    service.retire((), elsewhere.append)
    assert len(elsewhere) == 4
    service.wait(taken)
    assert elsewhere[4:] == [taken]


def test_who_has_broken_off_is_not_offered(service: RoutedService, target: Target, answers: Answers) -> None:
    client, arrival = arrive(b"GET / HTTP/1.1\r\n\r\n")
    service.put_through(arrival)
    stays = come(service, 1)
    reset(client)
    target.room = 1
    service.room()
    assert (target.taken, answers.given) == (stays, [(arrival, LEFT_QUEUE)])
    assert service.queued == 0
