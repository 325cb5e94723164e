"""New connections on the patient path are records in between: the same happens to them as to those that are objects."""

import socket
from collections.abc import Iterator

import pytest
from portico.arrival import Arrival
from portico.config import Limits
from portico.core.answers import DRAINED, HEAD_TIMEOUT, HEAD_TOO_LARGE, LEFT, SILENT
from portico.core.matchers import Silence
from portico.core.preface import Preface
from portico.core.rule import Rule
from portico.core.table import RouteTable
from portico.patience import Hurry, Patience
from portico.places import Places
from portico.poller import Poller
from twisted.logger import globalLogPublisher

from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, as_reactor, reset, tcp_pair, wait

HEAD = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
LIMITS = Limits(head_deadline=10.0, head_size=256, waiting=3)


@pytest.fixture
def patience(reactor: HandReactor, poller: Poller, answers: Answers) -> Patience:
    return Patience(LIMITS, poller, as_reactor(reactor), answers)  # type: ignore[arg-type]


@pytest.fixture
def come(reactor: HandReactor, places: Places, patience: Patience, answers: Answers) -> Iterator["Come"]:
    come = Come(reactor, places, patience)
    yield come
    patience.close()
    for client in come.clients:
        client.close()
    for arrival in answers.decisions:
        arrival.close()


class Come:
    """Counted connections."""

    def __init__(self, reactor: HandReactor, places: Places, patience: Patience) -> None:
        self.reactor, self.places, self.patience = reactor, places, patience
        self.clients: list[socket.socket] = []

    def __call__(self, preface: bytes = b"") -> socket.socket:
        client, ours = tcp_pair()
        sock = self.places.hold(ours.detach())
        arrival = Arrival(sock, client.getsockname(), LISTENER, self.reactor.seconds(), preface)
        self.places.admit(arrival)
        before = len(self.patience._records)
        wait(self.patience, arrival)
        self.is_record = len(self.patience._records) > before
        self.clients.append(client)
        return client


def test_a_crowd_has_one_timer_and_no_callbacks(reactor: HandReactor, poller: Poller, patience: Patience, come: Come) -> None:
    come()
    come(b"GET")
    assert len(patience) == len(patience._records) == 2
    assert len(poller) == 0
    assert len(reactor.getDelayedCalls()) == 1


@pytest.mark.parametrize("size", [1, 2, 7, len(HEAD)])
@pytest.mark.parametrize("trailing", [b"", b"body"])
def test_a_head_in_pieces(reactor: HandReactor, come: Come, answers: Answers, size: int, trailing: bytes) -> None:
    client = come()
    wire = HEAD + trailing
    for at in range(0, len(HEAD), size):
        assert answers.decisions == []
        client.send(wire[at : at + size if at + size < len(HEAD) else len(wire)])
        reactor.settle()
    (arrival,) = answers.decisions
    assert arrival.preface == wire
    assert arrival.head is not None
    assert arrival.head.target == b"/x"
    assert (arrival.client, arrival.listener) == (client.getsockname(), LISTENER)
    assert reactor.getDelayedCalls() == []


def test_one_deadline_over_the_whole_phase(reactor: HandReactor, come: Come, answers: Answers, places: Places) -> None:
    client, silent = come(), come()
    for second in range(10):
        assert answers.kinds == []
        client.send(HEAD[second : second + 1])
        reactor.settle()
        reactor.advance(1)
    assert answers.kinds == [HEAD_TIMEOUT, SILENT]
    assert [arrival.client for arrival, _ in answers.given] == [client.getsockname(), silent.getsockname()]
    assert places.held == 0
    assert reactor.getDelayedCalls() == []


def test_what_is_too_large(reactor: HandReactor, come: Come, answers: Answers) -> None:
    come().send(HEAD[:-2] + b"A: " + b"x" * 1_000)
    reactor.settle()
    assert answers.kinds == [HEAD_TOO_LARGE]
    assert len(answers.given[0][0].preface) == LIMITS.head_size


@pytest.mark.parametrize("preface", [b"", b"GET / HT"])
def test_a_client_that_leaves(reactor: HandReactor, come: Come, answers: Answers, places: Places, preface: bytes) -> None:
    for leave in (lambda sock: sock.close(), reset):
        client = come(preface)
        leave(client)
        reactor.settle()
        assert answers.kinds[-1] == LEFT
        assert places.held == 0


def test_with_too_many_the_oldest_makes_room(reactor: HandReactor, come: Come, answers: Answers, patience: Patience) -> None:
    for preface in (b"", b"GET", b"", b""):
        come(preface)
        reactor.advance(1)
    late = Arrival(tcp_pair()[1], ("192.0.2.1", 1), LISTENER, 0.5)  # not counted, so no record
    wait(patience, late)
    assert len(patience) == LIMITS.waiting
    come(b"G")
    assert [(kind.why, kind.ended) for kind in answers.kinds] == [
        (SILENT.why, "PR"),
        (HEAD_TIMEOUT.why, "PR"),
        (SILENT.why, "PR"),
    ]
    assert answers.given[2][0] is late  # the oldest of both kinds, as it came at 0.5


def test_one_whose_deadline_comes_earlier_has_a_clock_of_its_own(
    reactor: HandReactor, come: Come, answers: Answers, patience: Patience
) -> None:
    come()
    patience.limits = Limits(head_deadline=3.0)
    come(b"G")
    assert not come.is_record
    reactor.advance(3)
    assert answers.kinds == [HEAD_TIMEOUT]
    reactor.advance(4)
    come(b"G")
    assert come.is_record  # its deadline comes with that of the first
    reactor.advance(3)
    assert answers.kinds == [HEAD_TIMEOUT, SILENT, HEAD_TIMEOUT]


def test_who_is_waited_for_in_silence_is_an_object_until_then(
    reactor: HandReactor, come: Come, answers: Answers, patience: Patience
) -> None:
    answers.table = RouteTable([Rule("everything", pattern="/"), Rule("quiet", 1, None, (Silence(2.0),))])
    client = come()
    assert not come.is_record
    client.send(b"GE")
    reactor.settle()
    reactor.advance(10)
    come()
    reactor.advance(2)
    assert [answer.status for answer in answers.kinds] == [408]
    assert [arrival.client for arrival in answers.decisions] == [come.clients[1].getsockname()]


def test_a_drain_hurries_them(reactor: HandReactor, come: Come, answers: Answers, patience: Patience) -> None:
    come()
    client = come(b"GE")
    drained = patience.drain(Hurry(silent=1.0, begun=5.0))
    assert len(patience._records) == 0
    assert len(patience) == 2
    come()
    assert not come.is_record
    reactor.advance(1)
    assert answers.kinds == [DRAINED, DRAINED]
    client.send(HEAD[2:])
    reactor.settle()
    assert len(answers.decisions) == 1
    assert drained.called


def test_at_the_very_end_what_lies_unread_counts(come: Come, answers: Answers, patience: Patience) -> None:
    client, half = come(), come(b"GE")
    client.send(HEAD)
    half.send(b"T")
    patience.close()
    assert [arrival.client for arrival in answers.decisions] == [client.getsockname()]
    assert answers.kinds[0].status == 408
    assert answers.given[0][0].preface == b"GET"
    assert len(patience) == 0


class Broken(Answers):
    """Fails when it is asked."""

    fails = False

    def decide(self, preface: Preface) -> object:
        if self.fails:
            raise RuntimeError("as planned")
        return super().decide(preface)


@pytest.mark.parametrize("at_deadline", [False, True])
def test_one_that_cannot_be_looked_at_is_closed_and_forgotten(
    reactor: HandReactor, poller: Poller, places: Places, at_deadline: bool
) -> None:
    """Its record would stand for whatever gets the descriptor next."""
    failures: list[object] = []
    globalLogPublisher.addObserver(failures.append)  # type: ignore[arg-type]
    broken = Broken()
    patience = Patience(LIMITS, poller, as_reactor(reactor), broken)  # type: ignore[arg-type]
    come = Come(reactor, places, patience)
    client = come(b"GE")
    broken.fails = True
    if at_deadline:
        with pytest.raises(RuntimeError, match="as planned"):
            reactor.advance(10)
    else:
        client.send(b"T")
        reactor.settle()
        assert any("as planned" in str(event) for event in failures)
    globalLogPublisher.removeObserver(failures.append)  # type: ignore[arg-type]
    assert len(patience) == places.held == len(broken.given) == 0
    assert client.recv(1) == b""
    client.close()


def test_an_event_that_is_out_of_date_finds_nothing(come: Come, patience: Patience, answers: Answers) -> None:
    """One event of a batch may end the connection of another."""
    come()
    ((descriptor, _),) = patience._records.all()
    patience._oldest().make_room()
    patience._stirs(descriptor, 1)
    assert len(answers.given) == 1


def test_woken_for_nothing_it_rests_again(come: Come, patience: Patience, places: Places) -> None:
    come(b"GE")
    before = patience._records.all()
    patience._stirs(before[0][0], 1)  # nothing is there to be read
    assert patience._records.all() == before
    assert places.held == 1
    patience.close()
