"""One check of one address: what it says, and what it makes of each answer."""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from portico.poller import Poller
from portico.targets import probe as probe_module
from portico.targets.probe import Asked, Outcome, Probe

from tests.support.descriptors import open_descriptors

from .support.reactor import HandReactor
from .support.wires import as_reactor, reset

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
WELL = frozenset(range(200, 400))
ASKED = Asked(REQUEST, WELL)
TIMEOUT = 1.0


class Rig:
    """A listening socket, and checks of it."""

    def __init__(self, reactor: HandReactor, poller: Poller) -> None:
        self.reactor, self.poller = reactor, poller
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.outcomes: list[Outcome] = []
        self.sockets = [self.listener]

    def check(self, asked: Asked = ASKED, at: tuple[str, int] | None = None) -> Probe:
        at = at or self.listener.getsockname()
        return Probe(at, asked, TIMEOUT, self.poller, as_reactor(self.reactor), self.outcomes.append)

    def accept(self) -> socket.socket:
        self.reactor.settle()
        sock, _ = self.listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets.append(sock)
        return sock

    def outcome(self) -> Outcome:
        self.reactor.until(lambda: self.outcomes)
        (outcome,) = self.outcomes
        return outcome

    def answered(self, response: bytes, pieces: int = 1) -> Outcome:
        """A check that gets `response`."""
        self.check()
        sock = self.accept()
        assert sock.recv(1_000) == REQUEST  # unread it would make our end a reset
        size = max(1, -(-len(response) // pieces))
        for at in range(0, len(response), size):
            with suppress(OSError):  # it may have gone: it knows enough
                sock.send(response[at : at + size])
            self.reactor.settle()
        sock.close()
        return self.outcome()


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller) -> Iterator[Rig]:
    before = open_descriptors()
    rig = Rig(reactor, poller)
    yield rig
    for sock in rig.sockets:
        sock.close()
    assert len(poller) == 0
    assert not reactor.getDelayedCalls()
    assert open_descriptors() == before


def test_it_says_its_request_and_goes(rig: Rig) -> None:
    rig.check()
    sock = rig.accept()
    sock.settimeout(5)
    assert sock.recv(1_000) == REQUEST
    sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert rig.outcome() == (True, "status 200")
    assert sock.recv(1_000) == b""


def response(status: int, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Any\r\nContent-Length: 2\r\n\r\nok%b" % (status, more)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("trailing", [b"", b"\x00more"])
@pytest.mark.parametrize(("status", "passed"), [(200, True), (399, True), (400, False), (503, False)])
def test_by_its_status(rig: Rig, status: int, passed: bool, trailing: bytes, whole: bool) -> None:
    wire = response(status, trailing)
    assert rig.answered(wire, 1 if whole else len(wire)) == (passed, f"status {status}")


@pytest.mark.parametrize("whole", [True, False])
def test_interim_responses_do_not_count(rig: Rig, whole: bool) -> None:
    wire = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + response(204)
    assert rig.answered(wire, 1 if whole else len(wire)) == (True, "status 204")


def test_another_protocol_is_not_what_was_asked_for(rig: Rig) -> None:
    assert rig.answered(b"HTTP/1.1 101 Switching Protocols\r\n\r\n") == (False, "status 101")


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\nA: b\n\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000,
    ],
)
def test_malformed(rig: Rig, wire: bytes, whole: bool) -> None:
    assert rig.answered(wire, 1 if whole else min(len(wire), 40)) == (False, "malformed response")


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n"])
def test_no_response(rig: Rig, begun: bytes) -> None:
    assert rig.answered(begun) == (False, "no response")


def test_a_reset(rig: Rig) -> None:
    rig.check()
    reset(rig.accept())
    assert rig.outcome() == (False, "Connection reset by peer")


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_no_answer_in_time(rig: Rig, sent: bytes) -> None:
    rig.check()
    sock = rig.accept()
    sock.send(sent)
    rig.reactor.advance(TIMEOUT - 0.1)
    rig.reactor.settle()
    assert rig.outcomes == []
    rig.reactor.advance(0.2)
    assert rig.outcome() == (False, "no answer in time")


def test_a_refusal(rig: Rig) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        rig.check(at=nobody.getsockname())
        assert rig.outcome() == (False, "Connection refused")


def test_accepting_is_enough(rig: Rig) -> None:
    rig.check(Asked(b"", None))
    assert rig.outcome() == (True, "it accepts")
    assert rig.accept().recv(100) == b""


def test_accepting_is_enough_after_a_first_word(rig: Rig) -> None:
    rig.check(Asked(b"PROXY UNKNOWN\r\n", None))
    assert rig.outcome() == (True, "it accepts")
    sock = rig.accept()
    sock.settimeout(5)
    assert sock.recv(100) == b"PROXY UNKNOWN\r\n"


def test_what_we_cannot_ask_says_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(probe_module, "RawSocket", refuse)
        rig.check()
        assert rig.outcomes == []  # never before the constructor has returned
        assert rig.outcome() == (None, "Too many open files")


def test_nobody_wants_to_know_any_more(rig: Rig) -> None:
    probe = rig.check()
    sock = rig.accept()
    probe.cancel()
    sock.send(response(200))
    rig.reactor.settle()
    rig.reactor.advance(2 * TIMEOUT)
    assert rig.outcomes == []
