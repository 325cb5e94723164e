"""Connections whose head is not there yet: one deadline over the whole phase, a cap on size, a cap on how many."""

import pytest
from portico.config import Limits
from portico.core.answers import BAD_REQUEST, HEAD_TIMEOUT, HEAD_TOO_LARGE, LEFT, NOT_HTTP, SILENT
from portico.patience import Patience
from portico.poller import Poller

from .support.reactor import HandReactor
from .support.wires import Answers, arrive, as_reactor, reset, wait

HEAD = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
LIMITS = Limits(head_deadline=10.0, head_size=256, idle_timeout=60.0, waiting=3)


@pytest.fixture
def patience(reactor: HandReactor, poller: Poller, answers: Answers) -> Patience:
    return Patience(LIMITS, poller, as_reactor(reactor), answers)  # type: ignore[arg-type]


def empty(reactor: HandReactor, poller: Poller, patience: Patience) -> bool:
    return len(patience) == len(poller) == len(reactor.getDelayedCalls()) == 0


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(HEAD)])
def test_a_head_in_pieces(reactor: HandReactor, poller: Poller, patience: Patience, answers: Answers, size: int) -> None:
    client, arrival = arrive()
    wait(patience, arrival)
    for at in range(0, len(HEAD), size):
        assert answers.decisions == []
        client.send(HEAD[at : at + size])
        reactor.settle()
    assert answers.decisions == [arrival]
    assert arrival.preface == HEAD
    assert arrival.head is not None
    assert arrival.head.target == b"/x"
    assert empty(reactor, poller, patience)
    client.close()


def test_what_was_read_before_counts(reactor: HandReactor, patience: Patience, answers: Answers) -> None:
    client, arrival = arrive(HEAD[:10])
    wait(patience, arrival)
    client.send(HEAD[10:] + b"body")
    reactor.settle()
    assert answers.decisions == [arrival]
    assert arrival.preface == HEAD + b"body"
    client.close()


def test_a_preface_that_decides_alone(reactor: HandReactor, poller: Poller, patience: Patience, answers: Answers) -> None:
    for preface in (HEAD, b"GET / HTTP/1.1\nbad", b"\x16\x03\x01"):
        client, arrival = arrive(preface)
        wait(patience, arrival)
        client.close()
    assert [arrival.preface for arrival in answers.decisions] == [HEAD]
    assert answers.kinds == [BAD_REQUEST, NOT_HTTP]
    assert empty(reactor, poller, patience)


def test_no_more_is_read_than_a_head_may_have(reactor: HandReactor, patience: Patience, answers: Answers) -> None:
    client, arrival = arrive()
    wait(patience, arrival)
    client.send(b"GET / HTTP/1.1\r\nA: " + b"x" * 100_000)
    reactor.settle()
    assert answers.kinds == [HEAD_TOO_LARGE]
    assert len(arrival.preface) == LIMITS.head_size
    client.close()


def test_one_deadline_over_the_whole_phase(reactor: HandReactor, poller: Poller, patience: Patience, answers: Answers) -> None:
    client, arrival = arrive()
    wait(patience, arrival)
    for second in range(10):
        assert answers.kinds == []
        client.send(HEAD[second : second + 1])
        reactor.settle()
        reactor.advance(1)
    assert answers.given == [(arrival, HEAD_TIMEOUT)]
    assert empty(reactor, poller, patience)
    client.close()


def test_a_client_that_sends_nothing(reactor: HandReactor, poller: Poller, patience: Patience, answers: Answers) -> None:
    client, arrival = arrive()
    wait(patience, arrival)
    reactor.advance(9.9)
    assert answers.kinds == []
    reactor.advance(0.2)
    assert answers.given == [(arrival, SILENT)]
    assert empty(reactor, poller, patience)
    client.close()


@pytest.mark.parametrize("preface", [b"", b"GET / HT"])
def test_a_client_that_leaves(
    reactor: HandReactor, poller: Poller, patience: Patience, answers: Answers, preface: bytes
) -> None:
    for leave in (lambda sock: sock.close(), reset):
        client, arrival = arrive()
        wait(patience, arrival)
        if preface:
            client.send(preface)
        reactor.settle()
        leave(client)
        reactor.settle()
        assert answers.given[-1] == (arrival, LEFT)
    assert len(answers.given) == 2
    assert empty(reactor, poller, patience)


def test_a_head_and_then_the_end_of_the_clients_side(reactor: HandReactor, patience: Patience, answers: Answers) -> None:
    client, arrival = arrive()
    wait(patience, arrival)
    client.send(HEAD)
    client.close()
    reactor.settle()
    assert answers.decisions == [arrival]


def test_handed_back_it_may_be_idle_first(reactor: HandReactor, poller: Poller, patience: Patience, answers: Answers) -> None:
    client, arrival = arrive(returned=True)
    wait(patience, arrival)
    reactor.advance(59)
    assert answers.kinds == []
    client.send(b"G")
    reactor.settle()
    reactor.advance(9.9)
    client.send(b"E")  # only the first byte sets the clock
    reactor.settle()
    assert answers.kinds == []
    reactor.advance(0.2)
    assert answers.kinds == [HEAD_TIMEOUT]
    assert empty(reactor, poller, patience)
    client.close()


def test_handed_back_and_idle_too_long(reactor: HandReactor, patience: Patience, answers: Answers) -> None:
    client, arrival = arrive(returned=True)
    wait(patience, arrival)
    reactor.advance(60.1)
    assert answers.given == [(arrival, SILENT)]
    client.close()


def test_handed_back_with_half_a_head_it_is_not_idle(reactor: HandReactor, patience: Patience, answers: Answers) -> None:
    client, arrival = arrive(b"GET", returned=True)
    wait(patience, arrival)
    reactor.advance(10.1)
    assert answers.given == [(arrival, HEAD_TIMEOUT)]
    client.close()


def test_with_too_many_the_oldest_makes_room(reactor: HandReactor, patience: Patience, answers: Answers) -> None:
    clients, arrivals = zip(*(arrive(preface) for preface in (b"", b"GET", b"", b"", b"")), strict=True)
    for arrival in arrivals:
        wait(patience, arrival)
        assert len(patience) <= LIMITS.waiting
    assert [(arrival, kind.why, kind.ended) for arrival, kind in answers.given] == [
        (arrivals[0], SILENT.why, "PR"),
        (arrivals[1], HEAD_TIMEOUT.why, "PR"),
    ]
    clients[4].send(HEAD)
    reactor.settle()
    assert answers.decisions == [arrivals[4]]
    for client in clients:
        client.close()


def test_a_partial_head_does_not_spin(reactor: HandReactor, patience: Patience) -> None:
    client, arrival = arrive()
    wait(patience, arrival)
    client.send(b"GET /")
    reactor.settle()  # fails if something is ready for ever
    assert not reactor.turn()
    client.close()
