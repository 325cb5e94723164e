"""That an upload whose bytes are not those that were sent is found out by `make bench`."""

import zlib

import pytest
from twisted.internet.testing import StringTransport

from bench.router import check as checks
from bench.router.clients import answer, connect
from bench.router.inprocess import Answering
from bench.router.stage import Running, Stage

BODY = bytes(range(256)) * 2000
HEAD = b"POST /uploads/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
SUMMED = b"received %d %08x\n" % (len(BODY), zlib.crc32(BODY))


def test_the_backend_says_what_it_has_received() -> None:
    with Stage() as stage, connect(stage.backend_ports["uploads"]) as sock:
        for at in (0, 1000, len(BODY)):
            sock.sendall(HEAD % (b"sum", len(BODY)) + BODY[:at])
            sock.sendall(BODY[at:])
            assert answer(sock) == (200, SUMMED)
        sock.sendall(HEAD % (b"x", len(BODY)) + BODY)
        assert answer(sock) == (200, b"received %d\n" % len(BODY))


@pytest.mark.parametrize("at", [0, 1, 1000, len(BODY)])
def test_so_does_a_service_in_the_routers_process(at: int) -> None:
    transport = StringTransport()
    transport.setTcpNoDelay = lambda on: None  # type: ignore[attr-defined]
    protocol = Answering("uploads", {})
    protocol.makeConnection(transport)
    for _ in range(2):
        transport.clear()
        protocol.dataReceived(HEAD % (b"sum", len(BODY)) + BODY[:at])
        protocol.dataReceived(BODY[at:])
        assert transport.value().endswith(b"\r\n\r\n" + SUMMED)


class Spoiling:
    """A way to a contender on which one byte of each large body becomes another."""

    def __init__(self, port: int) -> None:
        self._sock = connect(port)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data if len(data) < 1_000 else data[:999] + b"?" + data[1_000:])

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)

    def __enter__(self) -> "Spoiling":
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()


def test_a_contender_that_spoils_a_byte_of_an_upload_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stage() as stage:
        contender = Running("x", None, stage.backend_ports, prefixes=False)
        assert checks.check(contender) == ""
        monkeypatch.setattr(checks, "connect", Spoiling)
        assert checks.check(contender).startswith("upload: ")
