"""Handing back."""

import socket

from ..codec import Connection, Routes, Taken, Tls
from .bench import ELSEWHERE, LISTENER, Bench, Broken, Client
from .rules import rule

BACK = "Handing back"
SEAL = bytes(range(16))


@rule(BACK, "a request of another service goes back, with its connection and the addresses that were told")
def back(bench: Bench) -> None:
    router = bench.router()
    for _ in range(2):
        client = bench.served(router)
        request = client.request(ELSEWHERE)
        client.send(request)
        message, sock = router.back(client)
        with sock:
            if (message.listener, message.tls) != (LISTENER, None):
                raise Broken(f"it said {message}")
            sock.setblocking(True)
            sock.settimeout(bench.patience)
            unread = message.unread
            while len(unread) < len(request):
                unread += sock.recv(len(request) - len(unread))
            if unread != request:
                raise Broken(f"of {request!r} it gave back {unread!r}")
            router.say(Taken(message.number, 0))


@rule(BACK, "the connection is whole, and after TAKEN the replica has no descriptor of it")
def whole(bench: Bench) -> None:
    router = bench.router()
    client = bench.served(router)
    client.send(client.request(ELSEWHERE))
    message, sock = router.back(client)
    with sock:
        _read_away(sock, client, message)
        router.say(Taken(message.number, 0))
        client.expect_alive(sock)
    client.expect_end("a descriptor of the connection is still open in the replica")


@rule(BACK, "what the router said of TLS is said again, and its seal is there")
def tls(bench: Bench) -> None:
    router, client = bench.router(), bench.client()
    facts = Tls("check.example", "http/1.1")
    router.hear_taken(router.hand(client, client.request(), facts, SEAL))
    client.accepted.close()
    client.expect_answer()
    client.send(client.request(ELSEWHERE))
    message, _ = router.back(client)
    router.say(Taken(message.number, 0))
    if (message.tls, message.seal) != (facts, SEAL):
        raise Broken(f"it said {message.tls} with the seal {message.seal.hex() or 'of nothing'}")


@rule(BACK, "the first request on a connection is never handed back")
def first(bench: Bench) -> None:
    router, client = bench.router(), bench.client()
    router.hear_taken(router.hand(client, client.request(ELSEWHERE)))
    client.accepted.close()
    client.expect_answer("a first request for another service's prefix")


@rule(BACK, "pipelined, it goes back only after the earlier answers")
def pipelined(bench: Bench) -> None:
    router, client = bench.router(), bench.client()
    own, foreign = client.request(), client.request(ELSEWHERE)
    router.hear_taken(router.hand(client, own + own + foreign + own))
    client.accepted.close()
    message, sock = router.back(client)
    with sock:
        if not (foreign + own).startswith(message.unread) or not message.unread:
            raise Broken(f"the unread bytes are {message.unread!r}")
        router.say(Taken(message.number, 0))
        for which in ("first", "second"):
            client.expect_answer(f"the {which} of four pipelined requests")
        client.expect_nothing(0.2, "a request was answered and handed back as well")


@rule(BACK, "ROUTES in several parts count as one table, and a new table replaces the old one")
def routes(bench: Bench) -> None:
    router = bench.router()
    client = bench.served(router)
    router.say(Routes(False, ((ELSEWHERE, True), *((f"/filler-{number}/", False) for number in range(500)))))
    router.say(Routes(True, (("/", False),)))
    bench.served(router)  # by then it has read them
    client.ask(ELSEWHERE)
    client.send(client.request())
    message, _ = router.back(client)
    router.say(Taken(message.number, 0))


@rule(BACK, "without a router it waits for one")
def waits(bench: Bench) -> None:
    router = bench.router()
    client = bench.served(router)
    router.close()
    client.send(client.request(ELSEWHERE))
    client.expect_nothing(0.3, "the client was answered, or cut, and not handed back")
    message, _ = (late := bench.router()).back(client)
    late.say(Taken(message.number, 0))


@rule(BACK, "where none comes in the time that the replica waits, and not before, the client gets 421 and the end")
def misdirected(bench: Bench) -> None:
    router = bench.router()
    client = bench.served(router)
    router.close()
    client.send(client.request(ELSEWHERE))
    client.expect_nothing(0.9 * bench.hand_back_timeout, "the client did not have to wait so long as it is said that it has to")
    status = client.expect_answer("a request that nobody can take back")
    if status != 421:
        raise Broken(f"the status is {status}")
    client.expect_end("the connection does not end")


def _read_away(sock: socket.socket, client: Client, message: Connection) -> None:
    """What the replica had not read of the request."""
    sock.setblocking(True)
    sock.settimeout(client.patience)
    left = len(client.request(ELSEWHERE)) - len(message.unread)
    while left > 0:
        left -= len(sock.recv(left)) or left
