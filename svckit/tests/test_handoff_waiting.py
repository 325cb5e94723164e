"""How long a replica waits for a router to hand back to, by its setting."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from handoff_support import CLIENT, LISTENER, FakeReactor
from svckit.handoff.link import Returned
from svckit.handoff.replica import HandoffReplica
from svckit.refusals import MISDIRECTED
from svckit.settings import Settings
from twisted.internet.protocol import Factory

TIMEOUT = 3.0
ENDED = b""


class Stage:
    """A replica without a router, and the client of a connection that goes back."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(service="static", replica="a-1", state=folder, hand_back_timeout=TIMEOUT, drain_time=1.0)
        self.reactor = FakeReactor()
        self.replica = HandoffReplica(settings, Factory(), folder, self.reactor)  # type: ignore[arg-type]
        self.replica.startService()
        self.client, self.sock = socket.socketpair()
        self.client.settimeout(10)

    def hand_back(self, unread: bytes) -> None:
        self.replica._returning.send(Returned(self.sock, CLIENT, LISTENER, unread), None)

    def answer(self) -> bytes:
        return self.client.recv(1000)

    def close(self) -> None:
        self.replica.stopService()
        self.reactor.advance(60)
        self.client.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="hw") as folder:
        made = Stage(Path(folder))
        try:
            yield made
        finally:
            made.close()


def test_the_setting_says_how_long(stage: Stage) -> None:
    stage.hand_back(b"GET /b/ HTTP/1.1\r\n\r\n")
    stage.reactor.advance(TIMEOUT - 0.1)
    assert len(stage.replica._returning) == 1
    stage.reactor.advance(0.1)
    assert len(stage.replica._returning) == 0
    assert stage.answer() == MISDIRECTED
    assert stage.answer() == ENDED


def test_who_asked_while_it_waited_gets_an_answer_too(stage: Stage) -> None:
    stage.hand_back(b"")
    stage.client.send(b"GET /b/ HTTP/1.1\r\n\r\n")
    stage.reactor.advance(TIMEOUT)
    assert stage.answer() == MISDIRECTED
    assert stage.answer() == ENDED


def test_who_asked_nothing_sees_the_end_and_no_answer(stage: Stage) -> None:
    stage.hand_back(b"")
    stage.reactor.advance(TIMEOUT)
    assert stage.answer() == ENDED


def test_the_end_of_a_drain_ends_the_wait(stage: Stage) -> None:
    stage.replica._returning._parked._timeout = 1e6
    stage.hand_back(b"GET /b/ HTTP/1.1\r\n\r\n")
    done: list[object] = []
    stage.replica.stopService().addCallback(done.append)
    assert done == []
    stage.reactor.advance(30)
    assert done == [None]
    assert stage.answer() == MISDIRECTED
