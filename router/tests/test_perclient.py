"""A client that has as many connections as it may have: refused at once, with an answer where one makes sense."""

import socket

import pytest
from portico.arrival import Arrival
from portico.core.answers import TOO_MANY, TOO_MANY_CLOSED
from portico.perclient import ClientStage
from portico.places import Places

from .support.reactor import HandReactor
from .support.wires import LISTENER, Inbox, Logged, raw, reset, tcp_pair

HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Door:
    def __init__(self, logged: Logged, plain: bool = True) -> None:
        self.places, self.logged = Places(100, 1, 1), logged
        self.in_: list[Arrival] = []
        self.stage = ClientStage(self.places, logged.log, self.in_.append, plain)

    def knock(self, preface: bytes = HEAD, host: str = "192.0.2.1", gone: bool = False) -> Inbox:
        client, ours = tcp_pair()
        arrival = Arrival(self.places.hold(ours.detach()), (host, 5), LISTENER, 0.0, preface)
        if gone:
            reset(client)
            client = socket.socket()
        self.stage.accept(arrival)
        return Inbox(client)

    def close(self) -> None:
        for arrival in self.in_:
            arrival.close()
        assert self.places.held == 0


def test_the_second_is_refused_and_a_third_is_let_in_when_the_first_has_gone(logged: Logged) -> None:
    door = Door(logged)
    door.knock()
    second, other = door.knock(), door.knock(host="192.0.2.2")
    assert second.has_ended()
    assert second.data == TOO_MANY.wire
    assert not second.reset
    assert b"\r\nRetry-After: 2\r\n" in second.data
    assert not other.has_ended()
    door.in_.pop(0).close()
    assert not door.knock().has_ended()
    assert [(line["status"], line["client"], line["why"]) for line in logged.lines] == [(429, "192.0.2.1", TOO_MANY.why)]
    assert logged.log.measures.answers == {("", "", 429, TOO_MANY.why): 1}
    door.close()


@pytest.mark.parametrize(
    "preface", [b"", b"G", b"GET /", b"SSH-2.0-OpenSSH_9\r\n", b"\x16\x03\x01\x00\x05hello", b"EHLO x\r\n"]
)
def test_what_is_not_http_yet_is_closed_without_a_word(logged: Logged, preface: bytes) -> None:
    door = Door(logged)
    door.knock()
    refused = door.knock(preface)
    assert refused.has_ended()
    assert refused.data == b""
    assert [(line["status"], line["why"]) for line in logged.lines] == [(0, TOO_MANY_CLOSED.why)]
    door.close()


@pytest.mark.parametrize("preface", [HEAD, b"GET / HTTP/1.1\r\nHo", b"\r\nPOST /x HTTP/1.0", b"BREW /pot HTTP/3"])
def test_a_request_line_is_enough_for_an_answer(logged: Logged, preface: bytes) -> None:
    door = Door(logged)
    door.knock()
    assert door.knock(preface).holds(b" 429 ")()
    door.close()


def test_before_a_handshake_nothing_can_be_said(logged: Logged) -> None:
    door = Door(logged, plain=False)
    door.knock()
    refused = door.knock(HEAD)
    assert refused.has_ended()
    assert refused.data == b""
    door.close()


def test_a_client_that_has_gone_meanwhile(logged: Logged) -> None:
    door = Door(logged)
    door.knock()
    door.knock(gone=True).sock.close()
    door.close()


def test_nothing_is_left_to_wait_for(logged: Logged, reactor: HandReactor) -> None:
    door = Door(logged)
    door.knock()
    before = len(reactor.getDelayedCalls())
    door.knock()
    assert len(reactor.getDelayedCalls()) == before + 1  # the log's, for its next lines
    door.close()


def test_a_socket_that_does_not_count_cannot_come_here(logged: Logged) -> None:
    client, ours = tcp_pair()
    door = Door(logged)
    with pytest.raises(AssertionError):
        door.stage.accept(Arrival(raw(client), ("192.0.2.1", 5), LISTENER, 0.0))
    ours.close()
