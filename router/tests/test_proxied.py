"""PROXY headers of trusted senders: believed; of others: bytes."""

from collections.abc import Iterator

import pytest
from portico.arrival import Address, Arrival
from portico.core.answers import BAD_PROXY
from portico.core.proxyprotocol import LARGEST, LARGEST_V1, encode_v1, encode_v2
from portico.networks import networks
from portico.poller import Poller
from portico.proxied import ProxyStage

from tests.support.descriptors import open_descriptors

from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, Inbox, arrive, as_reactor, reset

HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
DEADLINE = 3.0
SOURCE, DESTINATION = ("203.0.113.9", 40_000), ("198.51.100.1", 443)
SOURCE6, DESTINATION6 = ("2001:db8::9", 40_000), ("2001:db8::1", 443)
HEADERS = {
    "v1": (encode_v1(SOURCE, DESTINATION), SOURCE, DESTINATION),
    "v1-6": (encode_v1(SOURCE6, DESTINATION6), SOURCE6, DESTINATION6),
    "v2": (encode_v2(SOURCE, DESTINATION), SOURCE, DESTINATION),
    "v2-6": (encode_v2(SOURCE6, DESTINATION6), SOURCE6, DESTINATION6),
    "v2-checksum": (encode_v2(SOURCE, DESTINATION, checksum=True), SOURCE, DESTINATION),
    "v1-unknown": (encode_v1(None, None), None, None),
    "v2-local": (encode_v2(None, None), None, None),
}
MALFORMED = [
    HEAD,
    b"PROXY TCP4 203.0.113.9 198.51.100.1 40000 99999\r\n" + HEAD,
    b"PROXY " + b"x" * LARGEST_V1,
    encode_v2(SOURCE, DESTINATION)[:12] + b"\x11",
    encode_v2(SOURCE, DESTINATION, checksum=True)[:-1] + b"\xff",
    encode_v2(SOURCE, DESTINATION)[:14] + (LARGEST + 1).to_bytes(2, "big"),
    b"\x16\x03\x01",
]


class Rig:
    """A stage that trusts `trusted`, and what it lets go on."""

    def __init__(self, reactor: HandReactor, poller: Poller, answers: Answers, *trusted: str) -> None:
        self.reactor, self.poller = reactor, poller
        self.gone_on: list[Arrival] = []
        self.stage = ProxyStage(networks(trusted), DEADLINE, poller, as_reactor(reactor), self.gone_on.append, answers.answer)

    @property
    def at_rest(self) -> bool:
        return len(self.poller) == len(self.reactor.getDelayedCalls()) == len(self.stage._waiting) == 0


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, answers: Answers) -> Iterator[Rig]:
    before = open_descriptors()
    rig = Rig(reactor, poller, answers, "192.0.2.0/24", "127.0.0.1")
    yield rig
    assert rig.at_rest
    for arrival in rig.gone_on:
        arrival.close()
    assert open_descriptors() == before


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("behind", [b"", HEAD, b"\0\xff"])
def test_a_header_that_comes_whole(rig: Rig, name: str, behind: bytes) -> None:
    header, source, destination = HEADERS[name]
    client, arrival = arrive(header + behind)
    rig.stage.accept(arrival)
    assert rig.gone_on == [arrival]
    assert arrival.preface == behind
    assert arrival.client == (source or client.getsockname())
    assert arrival.listener == (destination or LISTENER)
    client.close()


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("size", [1, 2, 7, 13])
def test_a_header_in_pieces(rig: Rig, name: str, size: int) -> None:
    """No piece is too small, the first one neither."""
    header, source, _ = HEADERS[name]
    client, arrival = arrive()
    rig.stage.accept(arrival)
    for at in range(0, len(header), size):
        assert rig.gone_on == []
        client.send(header[at : at + size])
        rig.reactor.settle()
    assert rig.gone_on == [arrival]
    assert arrival.preface == b""
    assert arrival.client == (source or client.getsockname())
    client.close()


def test_a_header_in_two_pieces_with_the_request_behind_it(rig: Rig) -> None:
    header, source, _ = HEADERS["v2"]
    client, arrival = arrive(header[:5])
    rig.stage.accept(arrival)
    client.send(header[5:] + HEAD)
    rig.reactor.settle()
    assert rig.gone_on == [arrival]
    assert (arrival.preface, arrival.client) == (HEAD, source)
    client.close()


@pytest.mark.parametrize("header", [HEADERS["v1"][0], HEADERS["v2"][0], HEAD, b""])
def test_of_a_sender_that_is_not_trusted_a_header_is_bytes(
    reactor: HandReactor, poller: Poller, answers: Answers, header: bytes
) -> None:
    rig = Rig(reactor, poller, answers, "192.0.2.0/24", "::1")
    client, arrival = arrive(header)
    rig.stage.accept(arrival)
    assert rig.gone_on == [arrival]
    assert (arrival.preface, arrival.client) == (header, client.getsockname())
    assert rig.at_rest
    arrival.close()
    client.close()


@pytest.mark.parametrize("seen", [("192.0.2.200", 5), ("127.0.0.1", 5)])
def test_every_network_of_the_list_is_trusted(rig: Rig, seen: Address) -> None:
    client, arrival = arrive(HEADERS["v1"][0])
    arrival.client = seen
    rig.stage.accept(arrival)
    assert arrival.client == SOURCE
    client.close()


@pytest.mark.parametrize("bad", MALFORMED)
def test_a_malformed_header_ends_the_connection(rig: Rig, answers: Answers, bad: bytes) -> None:
    client, arrival = arrive(bad)
    rig.stage.accept(arrival)
    assert answers.given == [(arrival, BAD_PROXY)]
    assert rig.gone_on == []
    assert Inbox(client).has_ended()
    client.close()


@pytest.mark.parametrize("bad", MALFORMED)
def test_a_header_that_turns_out_malformed_ends_the_connection(rig: Rig, answers: Answers, bad: bytes) -> None:
    client, arrival = arrive()
    rig.stage.accept(arrival)
    for at in range(len(bad)):
        if answers.given:
            break
        client.send(bad[at : at + 1])
        rig.reactor.settle()
    assert answers.kinds == [BAD_PROXY]
    assert rig.gone_on == []
    client.close()


def test_one_deadline_from_the_connections_start(rig: Rig, answers: Answers) -> None:
    header = HEADERS["v2"][0]
    client, arrival = arrive(header[:1])
    rig.reactor.advance(1)
    rig.stage.accept(arrival)
    for second in range(1, 3):
        assert answers.kinds == []
        client.send(header[second : second + 1])
        rig.reactor.settle()
        rig.reactor.advance(1)
    assert answers.given == [(arrival, BAD_PROXY._replace(ended="cR"))]
    client.close()


def test_a_header_in_time_has_no_deadline_any_more(rig: Rig, answers: Answers) -> None:
    client, arrival = arrive()
    rig.stage.accept(arrival)
    client.send(HEADERS["v1"][0])
    rig.reactor.settle()
    rig.reactor.advance(10 * DEADLINE)
    assert answers.kinds == []
    assert rig.gone_on == [arrival]
    client.close()


@pytest.mark.parametrize("way", ["leaves", "resets"])
def test_a_sender_that_is_gone(rig: Rig, answers: Answers, way: str) -> None:
    client, arrival = arrive(b"PROXY ")
    rig.stage.accept(arrival)
    if way == "leaves":
        client.close()
    else:
        reset(client)
    rig.reactor.settle()
    assert answers.given == [(arrival, BAD_PROXY._replace(ended="CR"))]


def test_closing_ends_those_that_wait(rig: Rig, answers: Answers) -> None:
    pairs = [arrive(b"PROXY TCP4"), arrive()]
    for _, arrival in pairs:
        rig.stage.accept(arrival)
    rig.stage.close()
    assert answers.kinds == [BAD_PROXY._replace(ended="KR")] * 2
    for client, _ in pairs:
        assert Inbox(client).has_ended()
        client.close()
