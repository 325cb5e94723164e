"""Meeting, and taking connections."""

import os
import select
import socket
import stat

from ..codec import VERSION, Connection, Hello, Load, Taken, Tls, encode, encode_routes
from .bench import LISTENER, Bench, Broken
from .rules import rule

MEET, PACKETS, COURSE = "Where they meet", "Packets", "The course of a link"


@rule(MEET, "the file is a socket, closed to others than owner and group")
def file(bench: Bench) -> None:
    mode = bench.socket.stat().st_mode
    if not stat.S_ISSOCK(mode) or mode & 0o007:
        raise Broken(f"its mode is {stat.filemode(mode)}")


@rule(COURSE, "HELLO is said at once, with this version, a capacity, and the names of service and replica")
def hello(bench: Bench) -> None:
    said = bench.router(welcome=False).hear_any(bench.patience)
    if not isinstance(said, Hello):
        raise Broken(f"the first message is {said}")
    if said.version != VERSION or said.capacity < 1 or not said.service or f"{said.replica}.sock" != bench.socket.name:
        raise Broken(f"it said {said}")


@rule(COURSE, "a connection is taken, and its request answered")
def one(bench: Bench) -> None:
    bench.served(bench.router())


@rule(COURSE, "further requests on the same connection are answered")
def keep_alive(bench: Bench) -> None:
    client = bench.served(bench.router())
    client.ask()
    client.ask()


@rule(MEET, "several routers have a link each, and each its own numbers")
def several(bench: Bench) -> None:
    first, second = bench.router(), bench.router()
    for router in (first, second, first, second):
        bench.served(router)


@rule(MEET, "the end of one link costs its connections, and other links, nothing")
def end_of_link(bench: Bench) -> None:
    first, second = bench.router(), bench.router()
    client = bench.served(first)
    first.close()
    client.ask()
    bench.served(second)


@rule(COURSE, "TAKEN tells the highest number of a batch, and never goes back")
def batch(bench: Bench) -> None:
    router = bench.router()
    clients = [bench.client() for _ in range(40)]
    first, *others = clients
    number = router.hand(first, first.request())
    router.hear_taken(number)  # one alone: a batch that is counted wrong can pass through the right number by chance
    for client in others:
        router.hand(client, client.request())
    while number < len(clients):
        taken = router.hear(Taken)
        if taken.number <= number or taken.number > len(clients):
            raise Broken(f"TAKEN up to {taken.number} after {number}")
        number = taken.number
    for client in clients:
        client.expect_answer()


@rule(COURSE, "the unread bytes come before what is still in the socket")
def preface(bench: Bench) -> None:
    router, client = bench.router(), bench.client()
    request = client.request()
    client.send(request[9:])
    router.hear_taken(router.hand(client, request[:9]))
    client.expect_answer("a request of which a part was unread and a part in the socket")


@rule(COURSE, "a connection that sends nothing, in blocking mode, holds up no other")
def blocking(bench: Bench) -> None:
    router = bench.router()
    silent = [bench.client() for _ in range(3)]
    for client in silent:
        client.accepted.setblocking(True)
        router.hear_taken(router.hand(client, b""))
    bench.served(router)
    silent[1].ask()


@rule(PACKETS, "addresses of both families, the facts of TLS, and the end of a socket pair are understood")
def families(bench: Bench) -> None:
    router = bench.router()
    client = bench.client()
    client.address = ("2001:db8::7", client.address[1])
    router.hear_taken(router.hand(client, client.request()))
    client.expect_answer("a client with an IPv6 address")
    for sock in (client.sock, client.accepted):
        sock.close()
    client.sock, client.accepted = socket.socketpair()
    client.sock.settimeout(bench.patience)
    with client.sock, client.accepted:
        router.hear_taken(router.hand(client, client.request(), tls=Tls("check.example", "http/1.1")))
        client.expect_answer("a client whose TLS has ended in the router")


@rule(COURSE, "a load that has become smaller is told")
def load(bench: Bench) -> None:
    router = bench.router()
    clients = [bench.served(router) for _ in range(3)]
    last = bench.client()
    number = router.hand(last, last.request())
    opened = router.hear(Taken)
    if opened.number != number or opened.open < 4:
        raise Broken(f"with four connections open it said {opened}")
    for client in (*clients, last):
        client.accepted.close()
        client.sock.close()
    while (said := router.hear(Load).open) > opened.open - 4:
        pass
    if said < 0:
        raise Broken(f"it said {said}")


@rule(PACKETS, "of several descriptors with one packet no more than one is kept")
def surplus(bench: Bench) -> None:
    router, client = bench.router(), bench.client()
    reading, writing = bench.pipe()
    packet = encode(Connection(1, client.address, LISTENER, client.request()))
    router.say_bytes(packet, client.accepted.fileno(), writing)
    os.close(writing)
    _expect_closed(bench, reading, "a second descriptor")


@rule(PACKETS, "a descriptor that comes with a message that has none is closed")
def useless(bench: Bench) -> None:
    router = bench.router()
    reading, writing = bench.pipe()
    router.say_bytes(encode_routes((("/", True),))[0], writing)
    os.close(writing)
    _expect_closed(bench, reading, "the descriptor that came with ROUTES")


def _expect_closed(bench: Bench, reading: int, what: str) -> None:
    if not select.select([reading], [], [], bench.patience)[0]:
        raise Broken(f"{what} is still open in the replica")
