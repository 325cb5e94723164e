"""What comes back from a replica that cannot be trusted."""

import socket

from portico.arrival import HandedBack
from portico.link import Link
from svckit.handoff.codec import Connection, Taken, Tls

from .linkrig import HEAD, HandReplica, Owner
from .reactor import HandReactor
from .wires import arrive


def back(owner: Owner) -> list[HandedBack]:
    return [arrival for arrival in owner.returned_ if isinstance(arrival, HandedBack)]


def sealed(reactor: HandReactor, replica: HandReplica, link: Link, tls: bool) -> tuple[socket.socket, Connection, int]:
    """A connection whose client the kernel does not know, given to the replica; the client's end, message and descriptor."""
    client, arrival = arrive(HEAD)
    arrival.client, arrival.named = ("192.0.2.7", 7), True
    if tls:
        arrival.learn_tls(Tls("one.example", "http/1.1"))
    assert link.offer(arrival)
    replica.hear()
    message, descriptor = replica.taken_over[-1]
    assert message.seal
    replica.send(Taken(message.number, 1))
    reactor.settle()
    arrival.close()
    return client, message, descriptor
