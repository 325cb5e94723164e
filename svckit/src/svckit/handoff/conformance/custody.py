"""Who answers when a link ends: custody, revocation, withdrawal."""

import os
import socket
import time

from ..codec import Taken
from .bench import ELSEWHERE, TAKE_TIMEOUT, Bench, Broken
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


@rule(CUSTODY, "what the service has ended is at its end for the client, though the router has a descriptor still")
def ended(bench: Bench) -> None:
    router, client = bench.router(), bench.client()
    router.hear_taken(router.hand(client, client.request()))
    client.expect_answer()
    client.sock.shutdown(socket.SHUT_WR)
    client.expect_end("the client waits for the router to close: shutdown(2) is to come before close")


@rule(REVOCATION, "what has arrived is taken within the router's take_timeout, also where the clients send nothing")
def taken_in_time(bench: Bench) -> None:
    router = bench.router()
    clients = [bench.client() for _ in range(100)]
    began = time.monotonic()
    for client in clients:
        number = router.hand(client, b"")
    router.hear_taken(number)
    seconds = time.monotonic() - began
    if seconds > bench.take_timeout:
        raise Broken(f"a router would have taken them back: the last TAKEN came after {seconds:.1f} s")
    for client in clients:
        client.accepted.close()
        client.sock.close()


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


@rule(
    WITHDRAWAL, f"where a router says no TAKEN for {TAKE_TIMEOUT:g} seconds, a hand-back is withdrawn and goes to another one"
)
def hung(bench: Bench) -> None:
    first, second = bench.router(), bench.router()
    client = bench.served(first)
    client.send(client.request(ELSEWHERE))
    _, sock = first.back(client)
    sock.close()
    second.patience += TAKE_TIMEOUT
    message, again = second.back(client)
    if os.pread(first.cell.descriptor, 1, 1) != b"\1":
        raise Broken("the second byte of the cell is not 1")
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
