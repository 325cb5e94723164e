"""A router's connection to the keeper, against a real keeper in a thread, and against ones that misbehave."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from portico import kept as module
from portico.application import Application
from portico.config import Config, parse
from portico.keeper import Keeper
from portico.kept import Kept
from portico.listener import Listener
from portico.poller import Poller

from .support.reactor import HandReactor
from .support.wires import as_reactor

AT = ("127.0.0.1", 0)


class Running:
    """A keeper that turns in a thread until it is closed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.keeper = Keeper(address)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._turn)
        self._thread.start()

    def _turn(self) -> None:
        while not self._over.is_set():
            self.keeper.turn(0.005)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self.keeper.close()


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    running = Running(str(folder / "keeper"))
    yield running
    running.close()


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
    monkeypatch.setattr(module.time, "sleep", lambda _: started.append(Running(address)))
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


# -- a listener on a borrowed port


def listener(kept: Kept, reactor: HandReactor, poller: Poller, seen: list[bytes]) -> Listener:
    made = Listener(
        AT, 1_000, poller, as_reactor(reactor), lambda arrival: (seen.append(arrival.preface), arrival.close())[0], kept
    )
    made.start()
    return made


def ask(at: tuple[str, int], data: bytes) -> socket.socket:
    client = socket.create_connection(at, timeout=5)
    client.send(data)
    return client


def test_what_waits_when_a_listener_stops_is_the_next_one_s(running: Running, reactor: HandReactor, poller: Poller) -> None:
    seen: list[bytes] = []
    with Kept(running.address) as one, Kept(running.address) as two:
        first = listener(one, reactor, poller, seen)
        waiting = ask(first.at, b"waits")
        first.stop()  # before the reactor has turned: nobody has accepted it
        first.stop()
        assert seen == []
        late = ask(first.at, b"late")  # nobody listens just now, and it is not refused
        second = listener(two, reactor, poller, seen)
        assert second.at == first.at
        reactor.until(lambda: sorted(seen) == [b"late", b"waits"])
        second.stop()
        for client in (waiting, late):
            client.close()


def test_without_the_keeper_what_waits_is_the_listener_s_own(running: Running, reactor: HandReactor, poller: Poller) -> None:
    seen: list[bytes] = []
    with Kept(running.address) as kept:
        made = listener(kept, reactor, poller, seen)
        client = ask(made.at, b"waits")
        running.close()
        made.stop()
        assert seen == [b"waits"]
        with pytest.raises(ConnectionRefusedError):
            ask(made.at, b"too late")
        client.close()


def test_a_listener_that_was_stopped_may_come_again(running: Running, reactor: HandReactor, poller: Poller) -> None:
    """As at a reload that takes an address out and another one that brings it back."""
    seen: list[bytes] = []
    with Kept(running.address) as kept:
        for _ in range(3):
            made = listener(kept, reactor, poller, seen)
            client = ask(made.at, b"x")
            reactor.until(lambda: seen)
            seen.clear()
            made.stop()
            client.close()


# -- a whole router on borrowed ports

CONFIG = """
listeners = [%s]
routes = [{prefix = "/", service = "web"}]
services.web = {target = "tcp", address = "127.0.0.1:9"}
limits.drain_time = 1.0
"""


def config(*addresses: str) -> Config:
    return parse(CONFIG % ", ".join(f'{{address = "{address}"}}' for address in addresses))


def test_a_reload_borrows_what_is_new_and_leaves_what_is_gone(running: Running, reactor: HandReactor) -> None:
    with socket.create_server(AT) as taken, Kept(running.address) as kept:
        application = Application(config("127.0.0.1:0"), as_reactor(reactor), None, kept)
        application.privilegedStartService()
        application.startService()

        def used() -> list[str]:
            kept._ask("seed", "seed ")  # all that was said before is heard by then
            return [name for name, held in running.keeper._held.items() if held.users]

        assert used() == ["127.0.0.1:0"]
        (first,) = application.addresses
        application.reload(config("127.0.0.2:0", "127.0.0.1:0"))
        assert used() == ["127.0.0.1:0", "127.0.0.2:0"]
        assert application.addresses[1] == first
        application.reload(config("127.0.0.2:0"))
        assert used() == ["127.0.0.2:0"]
        for bad in (["127.0.0.3:0", "{}:{}".format(*taken.getsockname())], ["127.0.0.2:0", "127.0.0.3:0", "127.0.0.3:0"]):
            with pytest.raises(OSError, match="cannot listen on"):
                application.reload(config(*bad))
            assert used() == ["127.0.0.2:0"]  # what it had got before the mistake is given back
        application.stopService()
        assert used() == []
        socket.create_connection(first, 5).close()  # kept for the next router
        reactor.pump([1.0] * 5)
