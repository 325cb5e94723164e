"""Who answers when a link ends: custody, revocation, withdrawal."""

import os
import socket

from ..codec import Taken
from .bench import ELSEWHERE, Bench, Broken
from .rules import rule

CUSTODY, REVOCATION, WITHDRAWAL = "Custody", "Revocation", "Withdrawal"
QUIET = 0.5
"""Seconds in which nothing is to happen."""


@rule(CUSTODY, "TAKEN is said before the first byte is served")
def taken_first(bench: Bench) -> None:
    router = bench.router()
    for _ in range(20):
        client = bench.client()
        number = router.hand(client, client.request())
        if not client.readable(bench.patience):
            raise Broken("no answer came")
        said = router.hear_any(0)
        while said is not None and not (isinstance(said, Taken) and said.number >= number):
            said = router.hear_any(0)
        if said is None:
            raise Broken("there was an answer, and no TAKEN yet")


@rule(CUSTODY, "what is taken is served when its router dies at that moment")
def taken_and_dead(bench: Bench) -> None:
    router, client = bench.router(), bench.client()
    router.hear_taken(router.hand(client, b""))
    router.close()
    client.accepted.close()
    client.ask()
    client.ask()


@rule(REVOCATION, "where TAKEN cannot be said and the cell says so, nothing is served, nothing is shut down, and all is let go")
def revoked(bench: Bench) -> None:
    router, client = bench.router(), bench.client()
    router.cell.revoke()
    router.link.shutdown(socket.SHUT_RD)
    router.hand(client, client.request())
    client.expect_nothing(QUIET, "the client of a revoked connection heard something")
    client.expect_alive(client.accepted)
    client.accepted.close()
    client.expect_end("a descriptor of the revoked connection is still open in the replica")
    bench.served(bench.router())


@rule(REVOCATION, "where TAKEN cannot be said and the cell says nothing, the router is dead: everything is served")
def unrevoked(bench: Bench) -> None:
    router, client = bench.router(), bench.client()
    router.link.shutdown(socket.SHUT_RD)
    router.hand(client, client.request())
    router.link.close()
    client.accepted.close()
    client.expect_answer("a connection of a router that died before it could hear TAKEN")


@rule(WITHDRAWAL, "ending a link alive, with a hand-back that is not taken, it says so in the cell and finds another router")
def withdrawn(bench: Bench) -> None:
    first, second = bench.router(), bench.router()
    client = bench.served(first)
    client.send(client.request(ELSEWHERE))
    _, sock = first.back(client)
    first.say_bytes(b"\xff")
    message, again = second.back(client)
    if os.pread(first.cell.descriptor, 1, 1) != b"\1":
        raise Broken("the second byte of the cell is not 1")
    sock.close()
    if not message.unread.startswith(client.request(ELSEWHERE)[:3]):
        raise Broken(f"the unread bytes are {message.unread!r}")
    second.say(Taken(message.number, 0))
    with again:
        client.expect_alive(again)


@rule("Handing back", "a hand-back that a dying router had not taken goes to another one")
def untaken(bench: Bench) -> None:
    first, second = bench.router(), bench.router()
    client = bench.served(first)
    client.send(client.request(ELSEWHERE))
    _, sock = first.back(client)
    sock.close()
    first.close()
    message, again = second.back(client)
    second.say(Taken(message.number, 0))
    again.close()
