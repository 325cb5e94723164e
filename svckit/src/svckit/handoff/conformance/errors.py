"""What ends a link: everything that is not this protocol."""

from ..codec import VERSION, Connection, Hello, Taken, Welcome, encode
from .bench import LISTENER, Bench
from .rules import rule

ERRORS = "Errors"


def _ends(bench: Bench, packet: bytes) -> None:
    """The link ends; the connection that came by it does not, and other links work."""
    router = bench.router()
    client = bench.served(router)
    router.say_bytes(packet)
    router.expect_end()
    client.ask()
    bench.served(bench.router())


@rule(ERRORS, "a message of an unknown kind ends the link")
def unknown(bench: Bench) -> None:
    _ends(bench, b"\xff\0\0\0")


@rule(ERRORS, "a message that is cut short ends the link")
def cut_short(bench: Bench) -> None:
    _ends(bench, encode(Taken(1, 0))[:-1])


@rule(ERRORS, "a message with trailing bytes ends the link")
def trailing(bench: Bench) -> None:
    _ends(bench, b"\x08\0")


@rule(ERRORS, "TAKEN for a number that was never sent ends the link")
def never_sent(bench: Bench) -> None:
    _ends(bench, encode(Taken(1_000_000, 0)))


@rule(ERRORS, "a connection without its descriptor ends the link")
def without_descriptor(bench: Bench) -> None:
    _ends(bench, encode(Connection(2, LISTENER, LISTENER, b"GET")))


@rule(ERRORS, "an address of an unknown family ends the link")
def family(bench: Bench) -> None:
    _ends(bench, b"\x04" + bytes(8) + b"\0\x05" + bytes(20))


@rule(ERRORS, "a router of another version is left")
def version(bench: Bench) -> None:
    router = bench.router(welcome=False)
    router.hear(Hello)
    router.say(Welcome(VERSION + 1), router.cell.descriptor)
    router.expect_end()
