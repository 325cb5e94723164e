"""A service's queue: held while there is no replica, served when there is one, answered when it takes too long."""

from typing import cast

import pytest
from portico.arrival import Arrival
from portico.config import Limits
from portico.core.answers import NO_REPLICA, QUEUE_DRAINED, QUEUE_FULL
from portico.service import RoutedService, Target
from twisted.internet.defer import Deferred, succeed

from .support.reactor import HandReactor
from .support.wires import Answers, arrive, as_reactor, parse_response


class Room:
    """A target with room for so many connections."""

    def __init__(self) -> None:
        self.room = 0
        self.taken: list[Arrival] = []

    def offer(self, arrival: Arrival) -> bool:
        if not self.room:
            return False
        self.room -= 1
        self.taken.append(arrival)
        return True

    def start(self) -> None: ...

    def stop(self) -> "Deferred[None]":
        return succeed(None)

    def status(self) -> dict[str, object]:
        return {}


@pytest.fixture
def target() -> Room:
    return Room()


@pytest.fixture
def service(reactor: HandReactor, answers: Answers, target: Room) -> RoutedService:
    service = RoutedService("static", Limits(queue_timeout=5.0, queue_size=3), as_reactor(reactor), answers)
    service.target = cast(Target, target)  # of all that a target does, what a queue asks of it
    return service


def come(count: int) -> list[Arrival]:
    made = []
    for _ in range(count):
        client, arrival = arrive(b"GET / HTTP/1.1\r\n\r\n")
        client.close()
        made.append(arrival)
    return made


def test_straight_through(reactor: HandReactor, service: RoutedService, target: Room) -> None:
    target.room = 1
    (arrival,) = come(1)
    service.put_through(arrival)
    assert target.taken == [arrival]
    assert arrival.service is service
    assert service.queued == 0
    assert reactor.getDelayedCalls() == []


def test_held_and_then_served_when_a_replica_appears(
    reactor: HandReactor, service: RoutedService, target: Room, answers: Answers
) -> None:
    first, second = come(2)
    service.put_through(first)
    reactor.advance(4)
    service.put_through(second)
    assert service.queued == 2
    assert "2 queued" in repr(service)
    target.room = 5
    service.room()
    assert target.taken == [first, second]
    assert service.queued == 0
    assert reactor.getDelayedCalls() == []
    reactor.advance(60)
    assert answers.given == []


def test_as_many_as_there_is_room_for_and_the_others_keep_their_place(service: RoutedService, target: Room) -> None:
    arrivals = come(3)
    for arrival in arrivals:
        service.put_through(arrival)
    target.room = 2
    service.room()
    assert target.taken == arrivals[:2]
    assert service.queued == 1
    service.room()
    target.room = 1
    service.room()
    assert target.taken == arrivals


def test_the_queue_comes_first(service: RoutedService, target: Room) -> None:
    waiting, late = come(2)
    service.put_through(waiting)
    target.room = 1
    service.put_through(late)
    assert target.taken == []
    service.room()
    assert target.taken == [waiting]


def test_answered_with_retry_after_when_it_takes_too_long(
    reactor: HandReactor, service: RoutedService, target: Room, answers: Answers
) -> None:
    first, second = come(2)
    service.put_through(first)
    reactor.advance(3)
    service.put_through(second)
    reactor.advance(1.9)
    assert answers.given == []
    reactor.advance(0.2)
    assert answers.given == [(first, NO_REPLICA)]
    assert service.queued == 1
    reactor.advance(3)
    assert answers.given == [(first, NO_REPLICA), (second, NO_REPLICA)]
    response, _ = parse_response(NO_REPLICA.wire)
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    target.room = 1
    service.room()
    assert target.taken == []


def test_a_full_queue_answers_at_once(service: RoutedService, answers: Answers) -> None:
    arrivals = come(4)
    for arrival in arrivals:
        service.put_through(arrival)
    assert answers.given == [(arrivals[3], QUEUE_FULL)]
    assert service.queued == 3


def test_at_the_end_those_that_wait_are_answered(reactor: HandReactor, service: RoutedService, answers: Answers) -> None:
    arrivals = come(2)
    for arrival in arrivals:
        service.put_through(arrival)
    service.refuse_queued()
    assert answers.given == [(arrival, QUEUE_DRAINED) for arrival in arrivals]
    assert service.queued == 0
    assert reactor.getDelayedCalls() == []
