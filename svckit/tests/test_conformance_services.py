"""The conformance test finds services that misbehave behind a sound link."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_habits_support import ServesBeforeTaken
from conformance_support import broken_rules, running
from svckit.handoff import packets
from svckit.handoff.aio import replica
from svckit.handoff.aio.accepted import Accepted
from svckit.handoff.socketfile import is_alive


def _waits(accepted: Accepted) -> None:
    """A service that blocks the loop until the client says something."""
    accepted.sock.setblocking(True)
    accepted.sock.settimeout(2)
    with contextlib.suppress(OSError):
        accepted.sock.recv(1)
    accepted.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    accepted.sock.close()
    accepted.ended()


def _forgets_the_preface(accepted: Accepted) -> None:
    """A service that reads the socket only."""
    accepted.preface = b""


def _answers_at_once(accepted: Accepted) -> None:
    """A service that has its answer ready."""
    accepted.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    time.sleep(0.02)


def _closes_and_says_nothing(accepted: Accepted) -> None:
    """A service that closes its descriptor, and leaves the end to whoever else has one."""
    accepted.sock.setblocking(True)
    accepted.sock.settimeout(2)
    accepted.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    accepted.sock.recv(1)
    accepted.sock.close()


def _returns_everything(accepted: Accepted) -> None:
    """A service that answers nothing at all."""
    accepted.hand_back(accepted.preface)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("serve", "text"),
    [
        (_waits, "a connection that sends nothing, in blocking mode"),
        (_forgets_the_preface, "the unread bytes come before"),
        (_closes_and_says_nothing, "what the service has ended"),
        (_returns_everything, "the first request on a connection is never"),
    ],
)
def test_a_bad_service_is_found(folder: Path, serve: Callable[[Accepted], None], text: str) -> None:
    with running(folder, serve) as fake:
        (outcome,) = broken_rules(fake, text)
    assert outcome.problem


@pytest.mark.usefixtures("quick")
def test_an_answer_before_taken_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "Link", ServesBeforeTaken)
    with running(folder, _answers_at_once) as fake:
        (outcome,) = broken_rules(fake, "TAKEN is said before")
    assert outcome.problem == "there was an answer, and no TAKEN yet"


@pytest.mark.usefixtures("quick")
def test_surplus_descriptors_that_stay_open_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that receives them and does not look."""
    leaked: list[int] = []
    close = os.close

    def keep(descriptor: int) -> None:
        if threading.current_thread() is threading.main_thread():
            close(descriptor)
        else:
            leaked.append(descriptor)

    with running(folder) as fake:
        monkeypatch.setattr(os, "close", keep)
        monkeypatch.setattr(packets, "discard", keep)
        outcomes = broken_rules(fake, "of several descriptors", "a descriptor that comes with a message")
        monkeypatch.undo()
    for descriptor in leaked:
        close(descriptor)
    assert all(outcome.problem for outcome in outcomes)


def test_a_file_that_anybody_may_open_is_found(folder: Path) -> None:
    with running(folder) as fake:
        fake.path.chmod(0o777)
        (outcome,) = broken_rules(fake, "the file is a socket")
    assert outcome.problem is not None
    assert "rwx" in outcome.problem
    assert not is_alive(fake.path)
