"""The router put together: the order in which it drains."""

import socket

from portico.arrival import Address
from portico.core.answers import QUEUE_DRAINED
from portico.targets.split import LAST_REQUESTS
from twisted.application.service import Service
from twisted.internet.defer import Deferred

from .support.application import HEAD, Deployed, tunnel_to
from .support.reactor import HandReactor
from .support.wires import Inbox, arrive


def port_is_open(at: Address) -> bool:
    try:
        socket.create_connection(at, timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


class Background(Service):
    """Ends when the test says so."""

    def __init__(self) -> None:
        self.asked = False
        self.done: Deferred[None] = Deferred()

    def stopService(self) -> "Deferred[None]":
        super().stopService()
        self.asked = True
        return self.done


def test_the_order_of_a_drain(reactor: HandReactor, deployed: Deployed) -> None:
    background = Background()
    background.setServiceParent(deployed.application)
    ports = deployed.application.addresses
    replica = deployed.replica()
    served = deployed.connect(HEAD)
    reactor.until(served.holds(b"a page"))
    partial = deployed.connect(b"GET /none HTTP/1.1\r\n")
    reactor.until(lambda: len(deployed.application.router.patience) == 1)
    server = socket.create_server(("127.0.0.1", 0))
    tunnelled = tunnel_to(deployed, server)

    deployed.stop()
    assert deployed.application.status()["draining"] is True
    assert not any(port_is_open(at) for at in ports)  # first the ports
    assert not background.asked  # the tunnel is still open, and services in this process may be needed
    assert deployed.stopped == []
    partial.sock.send(b"Host: h\r\n\r\n")  # what has begun is finished
    reactor.until(partial.has_ended)
    assert b" 404 " in partial.data
    tunnelled.sock.close()
    reactor.until(lambda: background.asked)
    assert deployed.stopped == []
    background.done.callback(None)
    reactor.until(lambda: deployed.stopped)
    assert not served.has_ended()  # what was handed over goes on without the router
    assert deployed.out.getvalue().count("\n") == len(deployed.lines)  # the last lines are written
    server.close()
    replica.stopService()
    served.sock.close()


def test_a_kept_connection_finds_its_next_service_in_a_drain(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()
    server = socket.create_server(("127.0.0.1", 0))
    tunnelled = tunnel_to(deployed, server)
    deployed.stop()
    reactor.settle()
    client, arrival = arrive(HEAD, returned=True)  # as from another service
    deployed.application.router.readmit(arrival)
    late = Inbox(client)
    reactor.until(late.holds(b"a page"))
    tunnelled.sock.close()
    reactor.until(lambda: deployed.stopped)
    for sock in (late.sock, server):
        sock.close()
    replica.stopService()


def test_a_drain_closes_idle_connections_soon(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()
    client = deployed.connect(HEAD)
    reactor.until(client.holds(b"a page"))
    replica.stopService()  # hands the idle connection back
    reactor.until(lambda: deployed.application.router.counts["returned"] == 1)
    assert not client.has_ended()
    deployed.stop()
    reactor.settle()
    assert not client.has_ended()  # its next request may be on its way
    reactor.advance(LAST_REQUESTS)
    reactor.until(client.has_ended)
    reactor.until(lambda: deployed.stopped)


def test_a_request_that_an_idle_connection_makes_in_a_drain_is_answered(reactor: HandReactor, deployed: Deployed) -> None:
    replica, other = deployed.replica(), socket.create_server(("127.0.0.1", 0))
    tunnelled = tunnel_to(deployed, other)  # a tcp service is not stopped before what is undecided has come to it
    first, idle = deployed.connect(HEAD), arrive(returned=True)
    deployed.application.router.readmit(idle[1])
    reactor.until(first.holds(b"a page"))
    deployed.stop()
    tunnelled.sock.close()
    reactor.settle()
    reactor.advance(LAST_REQUESTS - 0.1)
    asked = Inbox(idle[0])
    asked.sock.send(b"GET /api/y HTTP/1.1\r\nHost: h\r\n\r\n")
    reactor.settle()
    other.settimeout(10)
    server = Inbox(other.accept()[0])
    reactor.until(server.holds(b"GET /api/y"))
    assert deployed.stopped == []
    server.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved")
    reactor.until(asked.holds(b"served"))
    for inbox in (server, asked):
        inbox.sock.close()
    reactor.until(lambda: deployed.stopped)
    for sock in (first.sock, other):
        sock.close()
    replica.stopService()


def test_a_request_that_stays_half_is_answered_at_half_of_the_drain_time(reactor: HandReactor, deployed: Deployed) -> None:
    partial = deployed.connect(b"GET /none HTTP/1.1\r\n")
    reactor.until(lambda: len(deployed.application.router.patience) == 1)
    deployed.stop()
    reactor.advance(1.4)
    assert not partial.has_ended()
    reactor.advance(0.1)
    reactor.until(partial.has_ended)
    assert b" 408 " in partial.data
    reactor.until(lambda: deployed.stopped)
    partial.sock.close()


def test_a_drain_answers_those_that_wait_for_a_replica(reactor: HandReactor, deployed: Deployed) -> None:
    client = deployed.connect(HEAD)
    reactor.until(lambda: deployed.application._services["web"].queued == 1)
    deployed.stop()
    reactor.until(client.has_ended)
    assert client.data == QUEUE_DRAINED.wire
    reactor.until(lambda: deployed.stopped)
    assert [line["status"] for line in deployed.lines] == [503]


def test_a_drain_cuts_what_does_not_end_in_time(reactor: HandReactor, deployed: Deployed) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    client = tunnel_to(deployed, server)
    deployed.stop()
    reactor.advance(2.9)
    assert not client.has_ended()
    assert deployed.stopped == []
    reactor.advance(0.2)
    reactor.until(client.has_ended)
    reactor.until(lambda: deployed.stopped)
    server.close()
