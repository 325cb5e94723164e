import pytest
from twisted.internet.task import Clock
from websocketsvc.pulse import Pulse


class Owner:
    def __init__(self, clock: Clock, interval: float = 10) -> None:
        self.said: list[str] = []
        self.listening = True
        self.pulse = Pulse(
            clock, interval, lambda: self.said.append("ping"), lambda: self.said.append("gave up"), lambda: self.listening
        )
        self.pulse.start()


@pytest.fixture
def owner(clock: Clock) -> Owner:
    return Owner(clock)


def test_a_client_that_says_nothing_is_asked_once_and_given_up(owner: Owner, clock: Clock) -> None:
    clock.advance(9.9)
    assert owner.said == []
    clock.advance(0.1)
    assert owner.said == ["ping"]
    clock.advance(10)
    assert owner.said == ["ping", "gave up"]
    assert clock.getDelayedCalls() == []


def test_a_client_that_only_answers_is_asked_again_and_again(owner: Owner, clock: Clock) -> None:
    for _ in range(10):
        pings = len(owner.said)
        clock.advance(10)
        if len(owner.said) > pings:
            owner.pulse.heard = True
    assert owner.said == ["ping"] * 5


def test_a_client_that_talks_is_not_asked(owner: Owner, clock: Clock) -> None:
    for _ in range(5):
        owner.pulse.heard = True
        clock.advance(10)
    assert owner.said == []


def test_an_answer_resets_the_count(owner: Owner, clock: Clock) -> None:
    clock.advance(10)
    owner.pulse.heard = True
    clock.advance(10)
    clock.advance(10)
    assert owner.said == ["ping", "ping"]
    clock.advance(10)
    assert owner.said == ["ping", "ping", "gave up"]


def test_while_we_do_not_read_silence_means_nothing(owner: Owner, clock: Clock) -> None:
    clock.advance(10)
    owner.listening = False
    for _ in range(10):
        clock.advance(10)
    assert owner.said == ["ping"] * 11, "only by writing do we learn that nobody is there any more"
    owner.listening = True
    clock.advance(10)
    assert owner.said == ["ping"] * 12, "it gets a whole interval after we read again"


def test_stop(owner: Owner, clock: Clock) -> None:
    owner.pulse.stop()
    owner.pulse.stop()
    assert clock.getDelayedCalls() == []


def test_stopped_while_it_pings(clock: Clock) -> None:
    pulse = Pulse(clock, 10, lambda: pulse.stop(), lambda: None, lambda: True)
    pulse.start()
    clock.advance(10)
    assert clock.getDelayedCalls() == []


def test_an_interval_of_nothing_is_never(clock: Clock) -> None:
    Owner(clock, 0)
    assert clock.getDelayedCalls() == []
