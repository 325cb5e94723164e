"""An answer arrives although the client goes on sending, and a client that never stops does not stay for ever."""

import socket

from portico.arrival import Arrival
from portico.core.answers import BAD_REQUEST
from portico.linger import LINGER_BYTES, LINGER_TIME, Linger
from portico.poller import Poller

from .support.reactor import HandReactor
from .support.wires import Inbox, arrive, as_reactor, reset


def linger(reactor: HandReactor, poller: Poller) -> tuple[socket.socket, Arrival]:
    client, arrival = arrive()
    Linger(poller, as_reactor(reactor)).answer(arrival, BAD_REQUEST)
    return client, arrival


def gone(arrival: Arrival) -> bool:
    return arrival.sock.fileno() < 0


def test_the_answer_and_then_the_end(reactor: HandReactor, poller: Poller) -> None:
    client, arrival = linger(reactor, poller)
    inbox = Inbox(client)
    reactor.until(inbox.has_ended)
    assert inbox.data == BAD_REQUEST.wire
    assert not inbox.reset
    assert not gone(arrival)  # it waits for the client's end
    client.close()
    reactor.until(lambda: gone(arrival))
    assert len(poller) == 0
    assert reactor.getDelayedCalls() == []


def test_the_answer_arrives_although_the_client_goes_on_sending(reactor: HandReactor, poller: Poller) -> None:
    client, arrival = arrive()
    client.sendall(b"unread" * 10_000)  # lies in the socket when the answer is sent
    Linger(poller, as_reactor(reactor)).answer(arrival, BAD_REQUEST)
    inbox = Inbox(client)
    for _ in range(20):
        client.send(b"x" * 1_000)
        reactor.settle()
    reactor.until(inbox.has_ended)
    assert inbox.data == BAD_REQUEST.wire
    assert not inbox.reset
    client.shutdown(socket.SHUT_WR)
    reactor.until(lambda: gone(arrival))
    reactor.settle()
    assert not inbox.reset
    client.close()


def test_bounded_in_time(reactor: HandReactor, poller: Poller) -> None:
    client, arrival = linger(reactor, poller)
    reactor.settle()
    reactor.advance(LINGER_TIME - 0.01)
    assert not gone(arrival)
    client.send(b"still here")
    reactor.settle()
    reactor.advance(0.02)  # no byte of the client's puts it off
    assert gone(arrival)
    assert len(poller) == 0
    client.close()


def test_bounded_in_bytes(reactor: HandReactor, poller: Poller) -> None:
    client, arrival = linger(reactor, poller)
    client.setblocking(False)
    sent = 0
    while not gone(arrival):
        try:
            sent += client.send(b"x" * 65_536)
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            break
        reactor.turn()
        assert sent < LINGER_BYTES + (16 << 20), "it reads for ever"
    reactor.until(lambda: gone(arrival))
    assert sent >= LINGER_BYTES
    assert len(poller) == 0
    assert reactor.getDelayedCalls() == []
    client.close()


def test_a_client_that_is_gone_is_owed_nothing(reactor: HandReactor, poller: Poller) -> None:
    client, arrival = arrive()
    reset(client)
    Linger(poller, as_reactor(reactor)).answer(arrival, BAD_REQUEST)
    reactor.until(lambda: gone(arrival))
    assert len(poller) == 0
    assert reactor.getDelayedCalls() == []


def test_a_reset_while_it_lingers(reactor: HandReactor, poller: Poller) -> None:
    client, arrival = linger(reactor, poller)
    reactor.settle()
    reset(client)
    reactor.until(lambda: gone(arrival))
    assert reactor.getDelayedCalls() == []
