"""Who is checked when: at once and then now and again, never too many, and what changes by it."""

from collections.abc import Callable

import pytest
from portico.checking import Check
from portico.config import Tcp
from portico.core.ejection import Ejection
from portico.core.proxyprotocol import decode
from portico.poller import Poller
from portico.targets import checks as checks_module
from portico.targets.checks import AT_ONCE, SPREAD, Checks, asked_by
from portico.targets.connect import Replica
from portico.targets.probe import Asked, Outcome

from .support.reactor import HandReactor
from .support.wires import as_reactor

PASSED, FAILED, UNKNOWN = Outcome(True, "status 200"), Outcome(False, "status 503"), Outcome(None, "no descriptors")
EJECTION: Ejection[Replica] = Ejection(3, 10.0)


class FakeProbe:
    """A check that ends when the test says how."""

    started: list["FakeProbe"]

    def __init__(self, at: tuple[str, int], asked: Asked, timeout: float, *args: object) -> None:
        self.at, self.ended, self.cancelled = at, args[-1], False
        FakeProbe.started.append(self)

    def end(self, outcome: Outcome) -> None:
        assert callable(self.ended)
        self.ended(outcome)

    def cancel(self) -> None:
        self.cancelled = True


class Rig:
    def __init__(self, reactor: HandReactor, poller: Poller, draw: Callable[[], float] = lambda: 0.5) -> None:
        self.reactor = reactor
        self.changes = 0
        check = Check(path="/", interval=10.0, rise=2, fall=3)
        self.checks = Checks(check, asked_by(Tcp("h:1"), check), poller, as_reactor(reactor), self.changed, draw)

    def changed(self) -> None:
        self.changes += 1

    def probes(self) -> list[FakeProbe]:
        """Those that have begun since the last call."""
        started, FakeProbe.started = FakeProbe.started, []
        return started

    def round(self, outcome: Outcome) -> None:
        """One check of the one address."""
        (probe,) = self.probes()
        probe.end(outcome)
        self.reactor.advance(10.0)


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(checks_module, "Probe", FakeProbe)
    FakeProbe.started = []
    return Rig(reactor, poller)


def replicas(count: int) -> list[Replica]:
    return [Replica(("10.0.0.1", port + 1), EJECTION) for port in range(count)]


def test_a_new_address_is_checked_at_once_and_gets_nothing_before(rig: Rig) -> None:
    (one,) = replicas(1)
    rig.checks.watch([one])
    assert (rig.checks.state(one), rig.checks.is_up(one)) == ("checking", False)
    (probe,) = rig.probes()
    assert probe.at == one.at
    probe.end(PASSED)
    assert (rig.checks.state(one), rig.checks.is_up(one), rig.changes) == ("up", True, 1)


def test_down_by_failures_in_a_row_and_up_again_by_passes(rig: Rig) -> None:
    (one,) = replicas(1)
    rig.checks.watch([one])
    states = []
    for outcome in (PASSED, FAILED, FAILED, PASSED, FAILED, FAILED, FAILED, PASSED, FAILED, PASSED, PASSED):
        rig.round(outcome)
        states.append(rig.checks.state(one))
    assert states == ["up"] * 6 + ["down"] * 4 + ["up"]
    assert rig.changes == 3


def test_what_could_not_be_asked_changes_nothing(rig: Rig) -> None:
    (one,) = replicas(1)
    rig.checks.watch([one])
    for _ in range(4):
        rig.round(UNKNOWN)
    assert rig.checks.state(one) == "checking"
    rig.round(PASSED)
    for _ in range(4):
        rig.round(UNKNOWN)
    assert rig.checks.is_up(one)


@pytest.mark.parametrize(("drawn", "seconds"), [(0.0, 10.0 * (1 - SPREAD)), (1.0, 10.0 * (1 + SPREAD))])
def test_the_next_one_comes_somewhat_earlier_or_later(
    rig: Rig, reactor: HandReactor, poller: Poller, drawn: float, seconds: float
) -> None:
    other = Rig(reactor, poller, lambda: drawn)
    other.checks.watch(replicas(1))
    reactor.advance(30)
    (probe,) = other.probes()  # the next counts from the end of this one
    probe.end(PASSED)
    reactor.advance(seconds - 0.01)
    assert other.probes() == []
    reactor.advance(0.02)
    assert len(other.probes()) == 1


def test_never_more_than_so_many_at_once(rig: Rig) -> None:
    many = replicas(AT_ONCE + 3)
    rig.checks.watch(many)
    first = rig.probes()
    assert len(first) == AT_ONCE
    first[0].end(PASSED)
    first[1].end(FAILED)
    assert len(rig.probes()) == 2
    waits = next(each for each in many if rig.checks.state(each) == "checking" and each not in _checked(rig))
    rig.checks.watch([each for each in many if each is not waits])
    first[2].end(PASSED)
    assert rig.probes() == []


def test_an_address_that_goes_takes_its_check_with_it(rig: Rig) -> None:
    one, two = replicas(2)
    rig.checks.watch([one, two])
    checked = {probe.at: probe for probe in rig.probes()}
    checked[two.at].end(PASSED)
    rig.checks.watch([])
    assert checked[one.at].cancelled
    assert not checked[two.at].cancelled
    rig.reactor.advance(100)
    assert rig.probes() == []
    assert not rig.checks.is_up(two)


def test_one_that_stays_is_not_asked_anew(rig: Rig) -> None:
    one, two = replicas(2)
    rig.checks.watch([one])
    rig.probes()[0].end(PASSED)
    rig.checks.watch([one, two])
    assert [probe.at for probe in rig.probes()] == [two.at]
    assert rig.checks.is_up(one)


def test_a_place_is_free_again_when_an_address_has_gone(rig: Rig) -> None:
    many = replicas(AT_ONCE + 1)
    rig.checks.watch(many)
    assert len(rig.probes()) == AT_ONCE
    late = next(each for each in many if each not in _checked(rig))
    rig.checks.watch([late])
    assert [probe.at for probe in rig.probes()] == [late.at]


def _checked(rig: Rig) -> list[Replica]:
    return [each for each, watched in rig.checks._watched.items() if watched.probe is not None]


def test_stopped(rig: Rig) -> None:
    one, two = replicas(2)
    rig.checks.watch([one])
    rig.probes()[0].end(PASSED)
    rig.checks.watch([one, two])
    (probe,) = rig.probes()
    rig.checks.stop()
    assert probe.cancelled
    rig.checks.watch(replicas(3))
    rig.reactor.advance(100)
    assert rig.probes() == []
    assert rig.checks.is_up(one)
    assert not rig.reactor.getDelayedCalls()


# -- what is said


def test_the_request() -> None:
    check = Check(path="/healthz?deep=1", status="200, 204")
    assert asked_by(Tcp("app:8000", check=check), check) == (
        b"GET /healthz?deep=1 HTTP/1.1\r\nHost: app:8000\r\nUser-Agent: portico-check\r\nConnection: close\r\n\r\n",
        {200, 204},
    )
    assert b"\r\nHost: example.org\r\n" in asked_by(Tcp("app:8000"), Check(path="/", host="example.org")).first


def test_without_a_path_nothing_is_asked() -> None:
    assert asked_by(Tcp("app:8000"), Check()) == (b"", None)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_server_that_expects_a_proxy_header_gets_one_without_a_client(version: str) -> None:
    settings = Tcp("app:8000", keepalive="pin", proxy=version)  # type: ignore[arg-type]
    for check in (Check(), Check(path="/")):
        first = asked_by(settings, check).first
        found = decode(first)
        assert found is not None
        assert found.source is None
        assert first[found.end :].startswith(b"GET / ") == (check.path is not None)
