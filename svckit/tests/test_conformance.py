"""The conformance test of the handoff protocol: it passes both replicas of ours, and fails replicas with one bad habit each."""

import asyncio
import contextlib
import functools
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from svckit.handoff import packets
from svckit.handoff.aio import SharedHttp, replica
from svckit.handoff.aio.accepted import Accepted, Returned
from svckit.handoff.aio.link import Link
from svckit.handoff.aio.replica import Replica
from svckit.handoff.codec import Connection, Draining, Hello, Load, Message, Routes, Taken, encode
from svckit.handoff.conformance import RULES, Outcome, check
from svckit.handoff.socketfile import is_alive

PAGE = Path(__file__).parents[2] / "docs/handoff-protocol.md"

TWISTED = """
from svckit.web import GuardedSite
from twisted.web.resource import Resource

class Hello(Resource):
    isLeaf = True
    def render_GET(self, request):
        return b"hello"

def make_factory(settings, reactor):
    return GuardedSite(Hello(), reactor)
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
"""
OURS = {
    "twisted": [sys.executable, "-c", "from svckit.cli import main; main()", "run", "twisted_service:make_factory"],
    "asyncio": [sys.executable, "-m", "svckit.handoff.aio.asgi", "asgi_service:app"],
}


def test_every_rule_stands_on_the_page() -> None:
    headings = set(re.findall(r"^#+ (.*)$", PAGE.read_text(), re.MULTILINE))
    assert {rule.section for rule in RULES} <= headings
    assert len({rule.text for rule in RULES}) == len(RULES) > 30


# -- ours


def check_a_process(name: str, folder: Path) -> tuple[int, str, int]:
    """Exit status and output of the command, and exit status of the replica, which it has told to drain."""
    path = folder / f"{name}/a-1.sock"
    environment = {**os.environ, "PORTICO_RUN": str(folder), "PORTICO_REPLICA": "a-1", "PORTICO_HAND_BACK_TIMEOUT": "2"}
    process = subprocess.Popen(
        [*OURS[name], "--service", name], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 30
        while not path.exists():
            assert process.poll() is None
            assert time.monotonic() < end, "it did not start"
            time.sleep(0.02)
        command = [sys.executable, "-c", "from svckit.cli import main; main()", "handoff-check", str(path)]
        done = subprocess.run(
            [*command, "--pid", str(process.pid), "--patience", "20", "--hand-back-timeout", "2", "--take-timeout", "20"],
            capture_output=True,
            text=True,
            timeout=100,
        )
        return done.returncode, done.stdout + done.stderr, process.wait(60)
    finally:
        process.kill()
        process.wait()


def test_both_of_ours_keep_every_rule(folder: Path) -> None:
    (folder / "twisted_service.py").write_text(TWISTED)
    (folder / "asgi_service.py").write_text(ASGI)
    with ThreadPoolExecutor() as pool:
        found = dict(zip(OURS, pool.map(lambda name: check_a_process(name, folder), OURS), strict=True))
    for status, output, ended in found.values():
        assert f"{len(RULES)} of {len(RULES)} rules are kept" in output
        assert (status, ended) == (0, 0), output


def test_where_nobody_is_every_rule_is_broken_and_the_command_says_so(folder: Path) -> None:
    command = [sys.executable, "-c", "from svckit.cli import main; main()", "handoff-check", str(folder / "none.sock")]
    done = subprocess.run([*command, "--patience", "1", "--without", "Errors"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "nobody answers" in done.stdout
    tried = [rule for rule in RULES if rule.section not in ("Errors", "Drain")]
    assert done.stdout.count("  not tried  ") == len(RULES) - len(tried)
    assert done.stdout.endswith(f"0 of {len(tried)} rules are kept\n")


# -- replicas with one bad habit each


class ServesBeforeTaken(Link):
    """Adopts as soon as it has read."""

    def _send(self, message: Message, carried: socket.socket | None = None) -> None:
        if isinstance(message, Taken):
            self._adopt_arrived()
        super()._send(message, carried)


class NeverSaysTaken(Link):
    """Serves and keeps quiet about it."""

    def _send(self, message: Message, carried: socket.socket | None = None) -> None:
        if isinstance(message, Taken):
            self._adopt_arrived()
        else:
            super()._send(message, carried)


class SaysTakenForMore(Link):
    """Counts wrong."""

    def _send(self, message: Message, carried: socket.socket | None = None) -> None:
        super()._send(message._replace(number=message.number + 1) if isinstance(message, Taken) else message, carried)


class LooksIntoNoCell(Link):
    """Takes every router that has ended the link for dead."""

    def _decide_on_arrived(self) -> None:
        self._adopt_arrived()


class TakesAllRoutersForAlive(Link):
    """Drops what the dead had sent."""

    def _decide_on_arrived(self) -> None:
        self._drop_arrived()


class ShutsDown(Link):
    """Calls shutdown(2) where it should close."""

    def _drop_arrived(self) -> None:
        for _, descriptor in self._arrived:
            with socket.socket(fileno=os.dup(descriptor)) as sock:
                sock.shutdown(socket.SHUT_RDWR)
        super()._drop_arrived()


class WithdrawsNothing(Link):
    """Ends a link and leaves the router in the belief that it is dead."""

    def _withdraw(self) -> None:
        pass


class ForgetsHandBacks(Link):
    """What was under way at the end of a link is lost."""

    def end(self, gone: bool = False) -> None:
        for returned in self._custody.reclaim():
            returned.sock.close()
        super().end(gone)


class KeepsHandBacks(Link):
    """Hands back a duplicate and keeps the socket."""

    kept: list[socket.socket]

    def hand_back(self, returned: Returned) -> None:
        self.kept = [*getattr(self, "kept", []), returned.sock.dup()]
        super().hand_back(returned)

    def end(self, gone: bool = False) -> None:
        for sock in getattr(self, "kept", []):
            sock.close()
        super().end(gone)


class ShutsHandBacksDown(Link):
    """As a stock Twisted transport does when it closes."""

    def hand_back(self, returned: Returned) -> None:
        with contextlib.suppress(OSError):
            returned.sock.shutdown(socket.SHUT_WR)
        super().hand_back(returned)


class LosesUnreadBytes(Link):
    """Hands back the socket only."""

    def hand_back(self, returned: Returned) -> None:
        super().hand_back(returned._replace(unread=b""))


class ForgetsTls(Link):
    """Hands back plain connections only."""

    def hand_back(self, returned: Returned) -> None:
        super().hand_back(returned._replace(told=returned.told._replace(tls=None)))


class NamesItselfAsListener(Link):
    """Tells the socket's own address."""

    def hand_back(self, returned: Returned) -> None:
        super().hand_back(returned._replace(told=returned.told._replace(listener=("127.0.0.1", 80))))


class NumbersFromZero(Link):
    """Its first hand-back has the number 0."""

    def _send(self, message: Message, carried: socket.socket | None = None) -> None:
        super()._send(message._replace(number=message.number - 1) if isinstance(message, Connection) else message, carried)


class TakesTheLastPartForAll(Link):
    """Each ROUTES replaces the one before."""

    def _hear(self, message: Message, descriptor: int | None) -> int | None:
        return super()._hear(message._replace(last=True) if isinstance(message, Routes) else message, descriptor)


class LivesWithEverything(Link):
    """Never ends a link."""

    def _hear(self, message: Message, descriptor: int | None) -> int | None:
        with contextlib.suppress(ValueError):
            return super()._hear(message, descriptor)
        return descriptor

    def _read(self) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("svckit.handoff.linkend.decode", self._decode)
            super()._read()

    @staticmethod
    def _decode(packet: bytes) -> Message:
        from svckit.handoff.codec import decode

        try:
            return decode(packet)
        except ValueError:
            return Load(0)


class TellsNoLoad(Link):
    """Says how many are open in TAKEN only."""

    def say_load(self) -> None:
        pass


class IsNobody(Link):
    """HELLO without a name."""

    def _send(self, message: Message, carried: socket.socket | None = None) -> None:
        super()._send(message._replace(replica="") if isinstance(message, Hello) else message, carried)


class SaysNonsense(Link):
    """TAKEN with a byte too many."""

    def _flush(self) -> None:
        if self._unsent and isinstance(self._unsent[0][0], Taken):
            packets.send(self._sock, encode(self._unsent[0][0]) + b"\0")
        super()._flush()


class SaysNoDraining(Link):
    """Goes without a word."""

    def say_draining(self) -> None:
        self._owner.farewell(self)

    def _send(self, message: Message, carried: socket.socket | None = None) -> None:
        if not isinstance(message, Draining):
            super()._send(message, carried)


class TakesLate(Link):
    """Waits for more before it says TAKEN."""

    def _send(self, message: Message, carried: socket.socket | None = None) -> None:
        if isinstance(message, Taken):
            self._loop.call_later(0.5, super()._send, message, carried)
        else:
            super()._send(message, carried)


class TrustsInRouters(Link):
    """Waits for TAKEN as long as it takes."""

    def _look_whether_it_hangs(self) -> None:
        pass


BAD_HABITS: list[tuple[type[Link], list[str]]] = [
    (ServesBeforeTaken, ["where TAKEN cannot be said and the cell says so"]),
    (NeverSaysTaken, ["a connection is taken, and its request answered"]),
    (SaysTakenForMore, ["a connection is taken, and its request answered", "TAKEN tells the highest number of a batch"]),
    (LooksIntoNoCell, ["where TAKEN cannot be said and the cell says so"]),
    (TakesAllRoutersForAlive, ["where TAKEN cannot be said and the cell says nothing"]),
    (ShutsDown, ["where TAKEN cannot be said and the cell says so"]),
    (WithdrawsNothing, ["ending a link alive"]),
    (ForgetsHandBacks, ["a hand-back that a dying router had not taken", "ending a link alive"]),
    (KeepsHandBacks, ["the connection is whole, and after TAKEN"]),
    (ShutsHandBacksDown, ["the connection is whole, and after TAKEN"]),
    (LosesUnreadBytes, ["a request of another service goes back", "pipelined, it goes back"]),
    (ForgetsTls, ["what the router said of TLS"]),
    (NamesItselfAsListener, ["a request of another service goes back"]),
    (NumbersFromZero, ["a request of another service goes back"]),
    (TakesTheLastPartForAll, ["ROUTES in several parts"]),
    (
        LivesWithEverything,
        ["a message of an unknown kind", "TAKEN for a number", "a connection without its", "a router of another"],
    ),
    (TellsNoLoad, ["a load that has become smaller"]),
    (IsNobody, ["HELLO is said at once"]),
    (SaysNonsense, ["a connection is taken, and its request answered"]),
    (TakesLate, ["what has arrived is taken"]),
    (TrustsInRouters, ["where a router says no TAKEN"]),
    (SaysNoDraining, ["stopped, it unlinks"]),
]


class Answers(asyncio.Protocol):
    """A server: every request gets the same answer."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class Running:
    """A replica in a thread of its own."""

    def __init__(self, folder: Path, serve: Callable[[Accepted], None] | None = None, drain_time: float = 0.0) -> None:
        self.path, self._drain_time = folder / "a-1.sock", drain_time
        self._serve = serve or self._share
        self._tasks: set[asyncio.Task[Any]] = set()
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(folder, started)), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def _share(self, accepted: Accepted) -> None:
        factory = functools.partial(SharedHttp, accepted, self._replica.ownership, Answers, lambda protocol: None)
        task = asyncio.create_task(asyncio.get_running_loop().connect_accepted_socket(factory, accepted.sock))
        self._tasks.add(task)

    async def _run(self, folder: Path, started: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._replica = Replica("fake", "a-1", folder, self._serve)
        self._replica.start()
        started.set()
        await self._stopped.wait()
        await self._replica.drain(self._drain_time)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)

    def end(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


@contextlib.contextmanager
def running(folder: Path, serve: Callable[[Accepted], None] | None = None, drain_time: float = 0.0) -> Iterator[Running]:
    fake = Running(folder, serve, drain_time)
    try:
        yield fake
    finally:
        fake.end()


def broken_rules(fake: Running, *texts: str, patience: float = 0.7, take_timeout: float = 0.3) -> list[Outcome]:
    """The outcomes of these rules only."""
    chosen = [rule for rule in RULES if rule.text.startswith(texts)]
    assert len(chosen) == len(texts)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("svckit.handoff.conformance.report.RULES", chosen)
        return check(fake.path, stop=fake.stop, patience=patience, take_timeout=take_timeout)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOODBYE_TIME", "FAREWELL_TIME"):
        monkeypatch.setattr(replica, name, 0.1)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("habit", "texts"), BAD_HABITS, ids=lambda value: getattr(value, "__name__", None))
def test_a_bad_habit_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch, habit: type[Link], texts: list[str]) -> None:
    monkeypatch.setattr(replica, "Link", habit)
    with running(folder) as fake:
        outcomes = broken_rules(fake, *texts)
    assert [outcome.rule.text for outcome in outcomes if not outcome.problem] == []


@pytest.mark.usefixtures("quick")
def test_the_same_without_a_bad_habit_keeps_the_rules(folder: Path) -> None:
    """Else the fakes above could fail for any reason."""
    with running(folder, drain_time=10) as fake:  # a drain without time would cut what is just being served
        outcomes = broken_rules(fake, *{text for _, texts in BAD_HABITS for text in texts}, patience=10, take_timeout=10)
    assert [(outcome.rule.text, outcome.problem) for outcome in outcomes if outcome.problem] == []


# -- services that misbehave behind a sound link


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


def _returns_everything(accepted: Accepted) -> None:
    """A service that answers nothing at all."""
    accepted.hand_back(accepted.preface)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("serve", "text"),
    [
        (_waits, "a connection that sends nothing, in blocking mode"),
        (_forgets_the_preface, "the unread bytes come before"),
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
