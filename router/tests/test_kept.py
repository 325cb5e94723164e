"""A router's connection to the keeper, against a real keeper in a thread, and against ones that misbehave."""

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico import kept as module
from portico.kept import Kept

from .support.keepers import AT, Running, turning
from .support.reactor import HandReactor
from .support.wires import as_reactor


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    yield from turning(folder)


def test_two_routers_borrow_the_same_socket(running: Running) -> None:
    with Kept(running.address) as one, Kept(running.address) as two:
        assert one.seed == two.seed
        assert len(one.seed) == 16
        with one.borrow(AT) as first, two.borrow(AT) as second:
            assert first.getsockname() == second.getsockname()
            assert not first.getblocking()
            assert not os.get_inheritable(first.fileno())


def test_an_abstract_address() -> None:
    running = Running(f"@portico-kept-{os.getpid()}")
    with Kept(running.address) as kept, kept.borrow(AT):
        assert running.keeper.names == ["127.0.0.1:0"]
    running.close()


def test_a_port_that_cannot_be_had(running: Running) -> None:
    with socket.create_server(AT) as taken, Kept(running.address) as kept:
        host, port = taken.getsockname()
        with pytest.raises(OSError, match=f"cannot listen on {host}:{port}: Address already in use") as caught:
            kept.borrow((host, port))
        assert caught.value.errno == errno.EADDRINUSE
        kept.borrow(AT).close()  # and the connection goes on


def test_nobody_there(folder: Path) -> None:
    with pytest.raises(OSError, match=f"no keeper answers at {folder}/none: No such file") as caught:
        Kept(str(folder / "none"), find_time=0.0)
    assert caught.value.strerror


def test_a_keeper_that_comes_a_little_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, started = str(folder / "keeper"), list[Running]()
    monkeypatch.setattr(time, "sleep", lambda _: started.append(Running(address)))
    with Kept(address, find_time=20.0) as kept:
        kept.borrow(AT).close()
    assert len(started) == 1
    started[0].close()


class Bad:
    """Listens as a keeper does, and answers each message with the next of `answers`, or hangs up."""

    def __init__(self, path: Path, *answers: bytes) -> None:
        self.path = str(path)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.bind(self.path)
        self._sock.listen()
        self._thread = threading.Thread(target=self._answer, args=(answers,))
        self._thread.start()

    def _answer(self, answers: tuple[bytes, ...]) -> None:
        client, _ = self._sock.accept()
        with client:
            for answer in answers:
                client.recv(1_000)
                client.send(answer)
            client.recv(1_000)

    def close(self) -> None:
        self._thread.join(20)
        self._sock.close()


@pytest.mark.parametrize("answer", [b"hello", b"seed", b"seed xyz", b"ok", b"error", b"error x y"])
def test_what_is_no_keeper(folder: Path, answer: bytes) -> None:
    bad = Bad(folder / "bad", answer)
    with pytest.raises(OSError, match=f"no keeper answers at {bad.path}: "):
        Kept(bad.path)
    bad.close()


@pytest.mark.parametrize("answer", [b"ok", b"yes", b"error one two"])
def test_a_keeper_that_answers_nonsense(folder: Path, answer: bytes) -> None:
    bad = Bad(folder / "bad", b"seed 00", answer)
    with Kept(bad.path) as kept, pytest.raises(OSError, match=f"the keeper at {bad.path} answers {answer.decode()!r}"):
        kept.borrow(AT)
    bad.close()


def test_a_keeper_that_does_not_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_TIME", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.bind(str(folder / "silent"))
        silent.listen()
        with pytest.raises(OSError, match=r"no keeper answers at .*: .*the keeper at .* does not answer"):
            Kept(str(folder / "silent"))


def test_the_keeper_s_end_is_noticed(running: Running, reactor: HandReactor) -> None:
    lost: list[str] = []
    with Kept(running.address) as kept:
        kept.watch(as_reactor(reactor), lambda: lost.append("lost"))
        reactor.settle()
        assert not kept.is_gone
        assert lost == []
        running.keeper._gone(next(iter(running.keeper._routers)))
        reactor.until(lambda: lost)
        assert kept.is_gone
        with pytest.raises(OSError, match=r"cannot listen on 127\.0\.0\.1:0: the keeper at .* is gone"):
            kept.borrow(AT)
        kept.leave(AT)
        assert reactor.readers == set()
    assert lost == ["lost"]
