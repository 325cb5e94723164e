"""The daemon as a service: what happens as root, what as the user, and a stop with a limit. And what systemd is told."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from portico.daemon.logfile import LogFile
from portico.daemon.logs import EventLines, Log
from portico.daemon.notify import Notifier
from portico.daemon.service import STOP_MARGIN, Daemon, Place
from twisted.application.service import Application, IServiceCollection
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher

from .support.wires import as_reactor


class Reactor(Clock):
    """A clock on which a start can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[object] = []
        self.stops = 0

    def callWhenRunning(self, call: object) -> None:
        self.waiting.append(call)

    callFromThread = callWhenRunning

    def stop(self) -> None:
        self.stops += 1


class Part:
    """One that ends when the test says so."""

    drain_time = 5.0

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.ended: Deferred[object] = Deferred()

    def take(self) -> None:
        self.calls.append("take")

    def start(self, access: object) -> None:
        self.calls.append("start")

    def reload(self) -> None:
        self.calls.append("reload")

    def stop(self) -> "Deferred[object]":
        self.calls.append("stop")
        return self.ended

    def flush(self) -> None:
        self.calls.append("flush")


HEARD = (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in HEARD}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def made(reactor: Reactor, part: Part, place: Place | None = None, environment: dict[str, str] | None = None) -> Daemon:
    notifier = Notifier(as_reactor(reactor), {} if environment is None else environment)
    return Daemon(part, Log(None, EventLines()), place or Place(), notifier, as_reactor(reactor))


def test_ports_first_everything_else_after() -> None:
    part = Part()
    daemon = made(Reactor(), part)
    daemon.privilegedStartService()
    assert part.calls == ["take"]
    daemon.startService()
    assert part.calls == ["take", "start"]


def test_signals_that_come_before_the_start_wait_for_it(tmp_path: Path) -> None:
    """The PID file is there before the ports are taken, and logrotate goes by it."""
    reactor, part, file = Reactor(), Part(), LogFile(tmp_path / "x.log")
    daemon = Daemon(part, Log(None, file, file), Place(), Notifier(as_reactor(reactor), {}), as_reactor(reactor))
    daemon.privilegedStartService()
    handlers = [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGUSR1)]
    assert signal.SIG_DFL not in handlers
    signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGUSR1)
    assert part.calls == ["take"] and not (tmp_path / "x.log.1").exists()
    for call in reactor.waiting:
        call()  # type: ignore[operator]
    assert part.calls == ["take", "reload"] and (tmp_path / "x.log.1").exists()
    file.close()


def test_a_signal_to_end_that_comes_before_the_reactor_runs_waits_for_it() -> None:
    """By then there is a PID file, which nobody would remove."""
    reactor, part = Reactor(), Part()
    daemon = made(reactor, part)
    daemon.privilegedStartService()
    signal.raise_signal(signal.SIGTERM)
    assert reactor.stops == 0
    daemon.startService()
    assert reactor.stops == 0
    for call in reactor.waiting:
        call()  # type: ignore[operator]
    assert reactor.stops == 1


def test_a_second_one_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the start hangs, say."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    (tmp_path / "x.pid").write_text("1")
    daemon = made(Reactor(), Part(), Place(pidfile=str(tmp_path / "x.pid")))
    daemon.privilegedStartService()
    signal.raise_signal(signal.SIGTERM)
    assert not statuses and (tmp_path / "x.pid").exists()
    signal.raise_signal(signal.SIGINT)
    assert statuses == [128 + signal.SIGINT] and not (tmp_path / "x.pid").exists()


def test_sigusr1_without_a_file_of_ours_is_said_to_do_nothing() -> None:
    """By default it would end the process."""
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    reactor, heard = Reactor(), list[LogEvent]()
    daemon = made(reactor, Part())
    daemon.privilegedStartService()
    observer = cast(ILogObserver, heard.append)
    globalLogPublisher.addObserver(observer)
    try:
        signal.raise_signal(signal.SIGUSR1)
        for call in reactor.waiting:
            call()  # type: ignore[operator]
    finally:
        globalLogPublisher.removeObserver(observer)
    assert [formatEvent(event) for event in heard] == [
        "SIGUSR1: the log is no file of Portico's, so there is nothing to rotate or to open anew"
    ]


def test_sigusr1_is_left_to_twisteds_own_log_file() -> None:
    def rotates(number: int, frame: object) -> None:
        """Twisted's."""

    signal.signal(signal.SIGUSR1, rotates)
    made(Reactor(), Part()).privilegedStartService()
    assert signal.getsignal(signal.SIGUSR1) is rotates


def test_a_stop_waits_for_the_drain() -> None:
    part = Part()
    daemon = made(Reactor(), part)
    daemon.startService()
    stopped = daemon.stopService()
    assert not stopped.called
    part.ended.callback(None)
    assert stopped.called


def test_a_stop_waits_no_longer_than_its_limit() -> None:
    reactor, part = Reactor(), Part()
    daemon = made(reactor, part)
    daemon.startService()
    stopped = daemon.stopService()
    reactor.advance(part.drain_time + STOP_MARGIN - 0.1)
    assert not stopped.called
    reactor.advance(0.1)
    assert stopped.called
    part.ended.callback(None)  # late, and of no consequence
    assert not reactor.getDelayedCalls()


def test_a_drain_that_fails_is_an_end_too() -> None:
    part = Part()
    daemon = made(Reactor(), part)
    daemon.startService()
    stopped = daemon.stopService()
    part.ended.errback(RuntimeError("no"))
    assert stopped.called


def test_an_end_at_once_writes_what_waits_and_removes_the_pid_file(tmp_path: Path) -> None:
    part, pidfile = Part(), tmp_path / "x.pid"
    pidfile.write_text("1")
    daemon = made(Reactor(), part, Place(pidfile=str(pidfile)))
    daemon._at_once()
    assert part.calls == ["flush"]
    assert not pidfile.exists()


def test_twistd_gets_the_observer() -> None:
    def observer(event: object) -> None:
        """Hears."""

    application = Application("x")
    reactor = as_reactor(Reactor())
    log = Log(observer, EventLines())  # type: ignore[arg-type]
    daemon = Daemon(Part(), log, Place(), Notifier(reactor, {}), reactor)
    daemon.setServiceParent(application)
    assert application.getComponent(ILogObserver) is observer
    assert list(IServiceCollection(application)) == [daemon]


def test_systemd_hears_that_it_serves_lives_and_drains(tmp_path: Path) -> None:
    reactor, part = Reactor(), Part()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}
        daemon = made(reactor, part, environment=environment)
        assert environment == {}
        daemon.startService()
        with pytest.raises(BlockingIOError):
            systemd.recv(1000)
        for call in reactor.waiting:
            if getattr(call, "__name__", "") == "ready":
                call()  # type: ignore[operator]
        assert systemd.recv(1000).splitlines()[0] == b"READY=1"
        assert systemd.recv(1000) == b"WATCHDOG=1"
        reactor.advance(2.0)
        assert systemd.recv(1000) == b"WATCHDOG=1"
        stopped = daemon.stopService()
        assert systemd.recv(1000).splitlines()[0] == b"STOPPING=1"
        part.ended.callback(None)
        assert stopped.called
        reactor.advance(10.0)
        with pytest.raises(BlockingIOError):
            systemd.recv(1000)


def test_a_systemd_that_is_gone_is_no_reason_to_end(tmp_path: Path) -> None:
    notifier = Notifier(as_reactor(Reactor()), {"NOTIFY_SOCKET": str(tmp_path / "none")})
    notifier.ready()
