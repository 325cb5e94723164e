"""Connections that are not decided on when the router ends."""

import pytest
from portico.config import Limits
from portico.core.answers import DRAINED, HEAD_TIMEOUT
from portico.core.termination import OPERATOR, REQUEST
from portico.patience import Hurry, Patience
from portico.poller import Poller

from .support.reactor import HandReactor
from .support.wires import Answers, arrive, as_reactor, wait

HEAD = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
HURRY = Hurry(silent=1.0, begun=5.0)


@pytest.fixture
def patience(reactor: HandReactor, poller: Poller, answers: Answers) -> Patience:
    return Patience(Limits(head_deadline=10.0, idle_timeout=60.0), poller, as_reactor(reactor), answers)  # type: ignore[arg-type]


@pytest.fixture
def drained() -> list[object]:
    return []


def test_with_nobody_waiting_it_is_over_at_once(patience: Patience, drained: list[object]) -> None:
    patience.drain(HURRY).addCallback(drained.append)
    assert drained == [None]


@pytest.mark.parametrize("returned", [False, True])
def test_who_sends_nothing_is_closed_soon(
    reactor: HandReactor, patience: Patience, answers: Answers, drained: list[object], returned: bool
) -> None:
    client, arrival = arrive(returned=returned)
    wait(patience, arrival)
    patience.drain(HURRY).addCallback(drained.append)
    reactor.advance(0.9)
    assert (answers.given, drained) == ([], [])
    reactor.advance(0.1)
    assert (answers.given, drained) == ([(arrival, DRAINED)], [None])
    client.close()


@pytest.mark.parametrize("before", [b"", b"GE"])
def test_who_asks_meanwhile_is_served(
    reactor: HandReactor, patience: Patience, answers: Answers, drained: list[object], before: bytes
) -> None:
    client, arrival = arrive(before)
    wait(patience, arrival)
    patience.drain(HURRY).addCallback(lambda _: drained.append(list(answers.decisions)))
    reactor.advance(0.9)
    client.send(HEAD[len(before) :])
    reactor.settle()
    assert drained == [[arrival]]  # only when it has come to its target
    assert arrival.preface == HEAD
    client.close()


def test_what_lies_unread_at_the_last_moment_counts(
    reactor: HandReactor, patience: Patience, answers: Answers, drained: list[object]
) -> None:
    client, arrival = arrive()
    wait(patience, arrival)
    patience.drain(HURRY).addCallback(drained.append)
    client.send(HEAD)
    reactor.advance(1.0)  # no descriptor is looked at
    assert (answers.decisions, answers.given, drained) == ([arrival], [], [None])
    client.close()


def test_a_head_that_has_begun_has_more_time_and_gets_an_answer(
    reactor: HandReactor, patience: Patience, answers: Answers, drained: list[object]
) -> None:
    silent, begun = arrive(), arrive(b"GET /")
    for _, arrival in (silent, begun):
        wait(patience, arrival)
    patience.drain(HURRY).addCallback(drained.append)
    reactor.advance(0.9)
    silent[0].send(b"GET /")
    reactor.settle()
    reactor.advance(4.0)
    assert answers.given == []
    reactor.advance(0.1)
    assert [(arrival, answer.why, answer.ended) for arrival, answer in answers.given] == [
        (begun[1], HEAD_TIMEOUT.why, OPERATOR + REQUEST),
    ]
    reactor.advance(0.9)
    assert [arrival for arrival, _ in answers.given] == [begun[1], silent[1]]
    assert drained == [None]
    for client, _ in (silent, begun):
        client.close()


def test_a_deadline_that_is_nearer_stays(reactor: HandReactor, patience: Patience, answers: Answers) -> None:
    client, arrival = arrive(b"GET /")
    wait(patience, arrival)
    reactor.advance(8)
    patience.drain(HURRY)
    reactor.advance(2)
    assert [given for given, _ in answers.given] == [arrival]
    client.close()


def test_the_times_hold_for_what_comes_back_later(reactor: HandReactor, patience: Patience, answers: Answers) -> None:
    patience.drain(HURRY)
    idle, begun = arrive(returned=True), arrive(b"GET /", returned=True)
    for _, arrival in (idle, begun):
        wait(patience, arrival)
    reactor.advance(1)
    assert answers.given == [(idle[1], DRAINED)]
    reactor.advance(4)
    assert [given for given, _ in answers.given] == [idle[1], begun[1]]
    for client, _ in (idle, begun):
        client.close()


def test_at_the_very_end_all_get_what_they_can_get(
    reactor: HandReactor, poller: Poller, patience: Patience, answers: Answers
) -> None:
    silent, begun = arrive(), arrive(b"GET /")
    for _, arrival in (silent, begun):
        wait(patience, arrival)
    patience.drain(HURRY)
    patience.close()
    assert [(given, answer.why) for given, answer in answers.given] == [
        (silent[1], DRAINED.why),
        (begun[1], HEAD_TIMEOUT.why),
    ]
    assert len(patience) == len(poller) == len(reactor.getDelayedCalls()) == 0
    for client, _ in (silent, begun):
        client.close()


@pytest.mark.parametrize("begun", [5.0, 100.0])
def test_those_that_come_back_one_after_the_other_do_not_keep_the_router(
    reactor: HandReactor, patience: Patience, answers: Answers, drained: list[object], begun: float
) -> None:
    """There is somebody at each moment, and all of them ask in time."""
    hurry = Hurry(silent=1.0, begun=begun)
    client, arrival = arrive(HEAD[:3])
    wait(patience, arrival)
    patience.drain(hurry).addCallback(lambda _: drained.append(reactor.seconds()))
    for _ in range(4):
        before, (client, arrival) = client, arrive(HEAD[:3], returned=True)
        wait(patience, arrival)
        before.send(HEAD[3:])
        reactor.settle()
        before.close()
        for _ in range(4):
            reactor.advance(1.0)
    assert drained == [1.0 + min(begun, patience.limits.head_deadline)]
    assert len(answers.decisions) == 4
    assert len(patience) == 1
    client.close()


@pytest.mark.parametrize("before", [b"", HEAD[:3]])
@pytest.mark.parametrize("more", [1, len(HEAD)])
def test_what_lies_unread_at_the_very_end_counts(
    reactor: HandReactor, poller: Poller, patience: Patience, answers: Answers, before: bytes, more: int
) -> None:
    client, arrival = arrive(before)
    wait(patience, arrival)
    patience.drain(HURRY)
    client.send(HEAD[len(before) :][:more])
    patience.close()
    whole = more == len(HEAD)
    assert answers.decisions == [arrival] * whole
    assert [(answer.why, answer.ended) for _, answer in answers.given] == [(HEAD_TIMEOUT.why, "KR")] * (not whole)
    assert len(patience) == len(poller) == len(reactor.getDelayedCalls()) == 0
    client.close()


def test_told_twice_it_drains_once(reactor: HandReactor, patience: Patience, answers: Answers, drained: list[object]) -> None:
    client, arrival = arrive(HEAD[:3])
    wait(patience, arrival)

    def note(_: None, number: int) -> None:
        drained.append(number)

    for number in (1, 2):
        patience.drain(HURRY).addCallback(note, number)
        reactor.advance(1.0)
    reactor.advance(60.0)
    assert drained == [2]
    assert reactor.getDelayedCalls() == []
    client.close()
