"""The reactor that waits in the router's poller does all that a reactor does."""

import os
import signal
import subprocess
import sys

import pytest
from portico.poller import READ, Poller
from portico.turning import TurningReactor
from twisted.internet.abstract import FileDescriptor

TIME = 20.0
"""Seconds for a child process."""

_WHOLE = """
import os, signal, socket
from portico import turning
turning.install()
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from portico.poller import READ, Poller

assert isinstance(reactor, turning.TurningReactor)
turning.install()  # once more, which is nothing
poller = Poller()
poller.start(reactor)
ours, theirs = socket.socketpair()
poller.add(ours.fileno(), READ, lambda events: (ours.recv(1), print("poller", flush=True), served()))

class Says(Protocol):
    def dataReceived(self, data):
        print("transport", flush=True)
        reactor.callInThread(lambda: reactor.callFromThread(threaded))

def served():
    port = reactor.listenTCP(0, Factory.forProtocol(Says), interface="127.0.0.1")
    served.client = socket.create_connection(("127.0.0.1", port.getHost().port))
    served.client.send(b"x")

def threaded():
    print("thread", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

reactor.callLater(0, theirs.send, b"x")
reactor.addSystemEventTrigger("before", "shutdown", print, "signal", flush=True)
reactor.run()
"""


def test_timers_transports_threads_and_signals_are_served() -> None:
    done = subprocess.run([sys.executable, "-c", _WHOLE], capture_output=True, text=True, timeout=TIME)
    assert done.stdout.split() == ["poller", "transport", "thread", "signal"], done.stderr


@pytest.fixture
def reactor() -> TurningReactor:
    return TurningReactor()


class Reader(FileDescriptor):
    """A reader of the reactor."""

    def __init__(self, reactor: TurningReactor, descriptor: int) -> None:
        super().__init__(reactor)
        self._descriptor, self.read = descriptor, 0

    def fileno(self) -> int:
        return self._descriptor

    def doRead(self) -> None:
        self.read += len(os.read(self._descriptor, 1))


def test_without_a_poller_and_after_it_the_reactor_waits_itself(reactor: TurningReactor) -> None:
    out, into = os.pipe()
    reader = Reader(reactor, out)
    reactor.addReader(reader)
    poller = Poller()
    for turn, step in enumerate((None, poller.start, poller.stop), 1):
        if step is not None:
            step(reactor)  # type: ignore[arg-type]
        os.write(into, b"x")
        reactor.doIteration(TIME)
        assert reader.read == turn
    os.close(into)
    os.close(out)


def test_a_turn_without_a_timer_waits_until_something_happens(reactor: TurningReactor) -> None:
    poller = Poller()
    poller.start(reactor)  # type: ignore[arg-type]
    out, into = os.pipe()
    happened: list[int] = []
    poller.add(out, READ, happened.append)
    before = signal.signal(signal.SIGALRM, lambda *_: os.write(into, b"x"))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        reactor.doIteration(None)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert happened == [READ]
    os.close(into)
    os.close(out)
