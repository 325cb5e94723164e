"""TLS that ends in the router: how sessions end, whoever ends them."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from portico.arrival import RawSocket
from portico.certificates import Certificates
from portico.core.answers import DRAINED, NO_DESCRIPTORS
from portico.poller import Poller
from portico.tlssession import GOODBYE_TIME

from .support.reactor import HandReactor
from .support.tlsclient import TlsClient
from .support.tlsrig import BODY, Rig, staged
from .support.wires import Answers, Inbox, reset


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, answers: Answers, certificates: Certificates) -> Iterator[Rig]:
    yield from staged(reactor, poller, answers, certificates)


def test_the_client_ends_its_side_and_still_reads(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(b"question")
    client.say_goodbye()
    rig.reactor.until(service.has_ended)
    assert service.data == b"question"
    service.sock.send(b"answer")
    service.sock.close()
    client.until(rig.reactor, lambda: client.ended)
    assert client.data == b"answer"
    assert client.said_goodbye
    assert not client.reset
    client.sock.close()
    rig.reactor.settle()
    assert rig.sessions == set()


def test_a_client_that_ends_without_close_notify_still_reads(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(b"question")
    client.sock.shutdown(socket.SHUT_WR)
    rig.reactor.until(service.has_ended)
    assert service.data == b"question"
    service.sock.send(b"answer")
    service.sock.close()
    client.until(rig.reactor, lambda: client.ended)
    assert client.data == b"answer"
    assert client.said_goodbye
    assert rig.sessions == set()


def test_the_service_ends_its_side_and_still_reads(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    service.sock.send(b"answer")
    service.sock.shutdown(socket.SHUT_WR)
    client.until(rig.reactor, lambda: client.said_goodbye)
    assert client.data == b"answer"
    client.write(b"afterthought")
    rig.reactor.until(service.holds(b"afterthought"))
    assert not service.ended
    client.say_goodbye()
    client.sock.close()
    rig.reactor.until(service.has_ended)
    assert rig.sessions == set()


def test_a_service_that_ends_its_side_loses_nothing_of_what_it_has_not_read(rig: Rig) -> None:
    client = rig.connect(small=True)
    service = rig.service()
    client.write(BODY * 4)
    for _ in range(50):
        rig.reactor.turn(0.001)
        client.turn()
    service.sock.shutdown(socket.SHUT_WR)

    def come() -> bool:
        client.turn()
        return len(service.read()) == 4 << 20

    rig.reactor.until(come)
    assert service.data == BODY * 4
    client.until(rig.reactor, lambda: client.said_goodbye)


@pytest.mark.parametrize("way", ["leaves", "resets"])
def test_a_client_that_is_gone(rig: Rig, way: str) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(b"last words")
    rig.reactor.until(service.holds(b"last words"))
    if way == "resets":
        reset(client.sock)
    else:
        client.sock.close()
    rig.reactor.until(service.has_ended)
    service.sock.close()
    rig.reactor.settle()
    assert rig.sessions == set()


def test_what_the_client_sent_before_it_left_arrives(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(BODY[:500_000])
    client.say_goodbye()
    client.until(rig.reactor, lambda: not client.unsent)
    client.sock.close()
    rig.reactor.until(service.has_ended)
    assert service.data == BODY[:500_000]


def test_an_answer_in_the_middle_of_an_upload_arrives(rig: Rig) -> None:
    """The service answers early and closes; a reset, for what the client still sends, would eat the answer."""
    client = rig.connect()
    service = rig.service()
    client.write(BODY)
    rig.reactor.until(lambda: len(service.read()) > 1_000)
    client.slow = True
    service.sock.send(b"413 go away")
    service.sock.close()
    client.write(BODY * 3)
    for _ in range(200):
        rig.reactor.turn(0.001)
        client.turn()
    client.slow = False
    client.until(rig.reactor, lambda: client.ended)
    assert client.data == b"413 go away"
    assert not client.reset
    client.until(rig.reactor, lambda: not client.unsent)
    client.sock.close()
    rig.reactor.until(lambda: not rig.sessions)


def test_a_service_that_breaks_off_with_bytes_unread_says_no_goodbye(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.write(b"never read")
    rig.reactor.settle()
    service.sock.send(b"half an ans")
    service.sock.close()
    client.until(rig.reactor, lambda: client.ended)
    assert client.data == b"half an ans"
    assert not client.said_goodbye


def test_a_client_that_does_not_end_has_only_a_moment(rig: Rig) -> None:
    client = rig.connect()
    rig.service().sock.close()
    client.until(rig.reactor, lambda: client.ended)
    assert client.said_goodbye
    rig.reactor.advance(GOODBYE_TIME - 0.1)
    assert len(rig.sessions) == 1
    rig.reactor.advance(0.2)
    assert rig.sessions == set()


def test_a_client_that_does_not_read_does_not_outlive_its_service_for_long(rig: Rig) -> None:
    client = rig.connect(small=True)
    service = rig.service()
    client.slow = True
    for _ in range(300):
        with suppress(BlockingIOError):
            service.sock.send(BODY)
        rig.reactor.turn(0.001)
    service.sock.close()  # it has lost patience
    rig.reactor.settle()  # fails if the end of the service is reported again and again
    assert len(rig.sessions) == 1
    rig.reactor.advance(GOODBYE_TIME - 1)
    for _ in range(20):  # it reads a little, so it is not gone
        client._receive()
        rig.reactor.turn(0.001)
    rig.reactor.advance(GOODBYE_TIME - 1)
    assert len(rig.sessions) == 1
    rig.reactor.settle()
    rig.reactor.advance(GOODBYE_TIME + 0.1)
    assert rig.sessions == set()


def test_damaged_records_end_the_session(rig: Rig) -> None:
    client = rig.connect()
    service = rig.service()
    client.sock.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    client.until(rig.reactor, lambda: client.ended)
    assert "bad record mac" in str(client.failed).lower().replace("_", " ")
    rig.reactor.until(service.has_ended)
    assert rig.sessions == set()
    assert rig.answers.given == []  # the router has it, and says what became of it


def test_sessions_can_be_closed(rig: Rig) -> None:
    shaking, client = rig.accept(), rig.connect()
    service = rig.service()
    for session in list(rig.sessions):
        session.close()
        session.close()
    assert rig.answers.kinds == [DRAINED]
    assert Inbox(shaking).has_ended()
    client.until(rig.reactor, lambda: client.ended)
    rig.reactor.until(service.has_ended)


def test_without_descriptors_for_the_plain_side(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> tuple[RawSocket, RawSocket]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", exhausted)
    client = TlsClient(rig.accept())
    client.until(rig.reactor, lambda: client.ended)
    assert rig.answers.kinds == [NO_DESCRIPTORS]


def test_certificates_are_chosen_by_name(rig: Rig) -> None:
    seen = {rig.connect(name=name).tls.getpeercert(binary_form=True) for name in ("one.example", "two.example", None)}
    assert len(seen) == 2
