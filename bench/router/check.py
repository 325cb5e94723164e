"""Whether a contender is right before it is called fast: right bytes, right service, nothing lost, in this very run."""

import hashlib
import zlib
from collections.abc import Callable
from functools import cache

from .clients import ask, connect, get, head_of, upgraded
from .replies import FILE, SERVICES, body, piece
from .sample import Failed
from .stage import Running

__all__ = ["check"]

LARGE = FILE + 12_345
MIXED = ("static", "uploads", "static", "ws", "ws", "uploads")


def check(contender: Running) -> str:
    """Why it does not count; empty where all is right."""
    tests: list[Callable[[Running], None]] = [_services, _large, _upload, _echo]
    if contender.prefixes:
        tests += [_mixed, _in_pieces]
    for test in tests:
        try:
            test(contender)
        except (Failed, OSError) as error:
            return f"{test.__name__.strip('_')}: {error}"
    return ""


def _right(service: str, size: str, got: tuple[int, bytes]) -> None:
    expected = body(service, {"1k": 1024, "64k": 65_536}[size])
    if got[0] != 200 or got[1] != expected:
        raise Failed(f"/{service}/{size}: {got[0]}, {len(got[1])} bytes that end with {got[1][-12:]!r}")


def _services(contender: Running) -> None:
    """Each prefix leads to its service; small and middle answers, on one connection."""
    for service in SERVICES:
        with connect(contender.port(service)) as sock:
            for size in ("1k", "64k", "1k"):
                _right(service, size, ask(sock, f"/{service}/{size}"))


@cache
def _whole() -> bytes:
    """LARGE bytes of the large file."""
    once = b"".join(piece(at) for at in range(0, FILE, 4096))
    return once + once[: LARGE - FILE]


def _large(contender: Running) -> None:
    """A large answer, byte for byte."""
    expected = hashlib.sha256(_whole()).digest()
    for service in ("static", "static-bulk"):
        with connect(contender.port(service)) as sock:
            _, got = ask(sock, f"/static/n/{LARGE}")
        if hashlib.sha256(got).digest() != expected:
            raise Failed(f"{len(got)} bytes of {LARGE}, or other ones")


def _upload(contender: Running) -> None:
    """A large body, and its CRC-32 as the service has seen it."""
    expected = b"received %d %08x\n" % (LARGE, zlib.crc32(_whole()))
    for service in ("uploads", "uploads-bulk"):
        with connect(contender.port(service)) as sock:
            sock.sendall(f"POST /uploads/sum HTTP/1.1\r\nHost: bench\r\nContent-Length: {LARGE}\r\n\r\n".encode())
            sock.sendall(_whole())
            head, rest = head_of(sock)
            while not rest.endswith(b"\n"):
                more = sock.recv(4096)
                if not more:
                    break
                rest += more
        if rest != expected:
            raise Failed(f"{head[:40]!r} {rest!r}")


def _echo(contender: Running) -> None:
    """An upgraded connection brings back what was sent, in order."""
    with upgraded(contender.port("ws")) as sock:
        for number in range(50):
            sent, got = b"%064d" % number, b""
            sock.sendall(sent)
            while len(got) < len(sent):
                more = sock.recv(4096)
                if not more:
                    raise Failed("the echo ended")
                got += more
            if got != sent:
                raise Failed("the echo is another text")


def _mixed(contender: Running) -> None:
    """Requests of several services on one connection."""
    with connect(contender.port("static")) as sock:
        for service in MIXED * 5:
            _right(service, "1k", ask(sock, f"/{service}/1k"))


def _in_pieces(contender: Running) -> None:
    """A request that comes in two pieces, after one of another service."""
    with connect(contender.port("static")) as sock:
        _right("static", "1k", ask(sock, "/static/1k"))
        request = get("/uploads/1k")
        for part in (request[:9], request[9:30]):
            sock.sendall(part)
        sock.sendall(request[30:])
        head, rest = head_of(sock)
        while len(rest) < 1024:
            more = sock.recv(4096)
            if not more:
                raise Failed(f"it ended after {head[:40]!r}")
            rest += more
        _right("uploads", "1k", (200, rest))
