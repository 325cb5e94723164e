import pytest
from twisted.internet.task import Clock
from websocketsvc.flow import Flow

from .support.fixtures import Tools


class Producer:
    def __init__(self) -> None:
        self.said: list[str] = []

    def pauseProducing(self) -> None:
        self.said.append("pause")

    def resumeProducing(self) -> None:
        self.said.append("resume")

    def stopProducing(self) -> None:
        self.said.append("stop")


class Owner:
    def __init__(self, tools: Tools, clock: Clock) -> None:
        self.wire = tools.Wire()
        self.said: list[str] = []
        self.on_resume = lambda: self.said.append("resume")
        self.flow = Flow(self.wire, clock, 60, lambda: self.said.append("stall"), lambda: self.on_resume())

    @property
    def reads(self) -> bool:
        return self.wire.producerState == "producing"


@pytest.fixture
def owner(tools: Tools, clock: Clock) -> Owner:
    return Owner(tools, clock)


def test_registered_as_a_push_producer(owner: Owner) -> None:
    assert owner.wire.producer is owner.flow and owner.wire.streaming
    assert owner.flow.reading and owner.reads


def test_a_full_transport_stops_reading_until_it_is_empty(owner: Owner) -> None:
    owner.flow.pauseProducing()
    assert not owner.reads and not owner.flow.reading
    owner.flow.resumeProducing()
    assert owner.reads and owner.flow.reading
    assert owner.said == ["resume"]


def test_what_waited_may_fill_the_transport_again(owner: Owner) -> None:
    owner.on_resume = owner.flow.pauseProducing
    owner.flow.pauseProducing()
    owner.flow.resumeProducing()
    assert not owner.reads and not owner.flow.reading


def test_a_client_that_reads_nothing_is_given_up(owner: Owner, clock: Clock) -> None:
    owner.flow.pauseProducing()
    clock.advance(59.9)
    assert owner.said == []
    clock.advance(0.1)
    assert owner.said == ["stall"]


def test_one_that_reads_in_time_is_not(owner: Owner, clock: Clock) -> None:
    for _ in range(3):
        owner.flow.pauseProducing()
        clock.advance(59)
        owner.flow.resumeProducing()
    clock.advance(100)
    assert "stall" not in owner.said


def test_hold_and_let_go(owner: Owner) -> None:
    owner.flow.hold()
    assert not owner.reads and not owner.flow.reading
    owner.flow.let_go()
    assert owner.reads and owner.said == ["resume"]
    owner.flow.let_go()
    assert owner.said == ["resume"]


def test_both_reasons_must_go(owner: Owner) -> None:
    owner.flow.hold()
    owner.flow.pauseProducing()
    owner.flow.let_go()
    assert not owner.reads
    owner.flow.hold()
    owner.flow.resumeProducing()
    assert not owner.reads
    owner.flow.let_go()
    assert owner.reads


def test_a_push_producer_behind_is_paused_too(owner: Owner) -> None:
    producer = Producer()
    owner.flow.attach(producer, True)
    assert owner.flow.producing
    owner.flow.pauseProducing()
    owner.flow.resumeProducing()
    assert producer.said == ["pause", "resume"]
    owner.flow.detach()
    assert not owner.flow.producing
    owner.flow.pauseProducing()
    assert producer.said == ["pause", "resume"]


def test_one_attached_to_a_full_transport_starts_paused(owner: Owner) -> None:
    producer = Producer()
    owner.flow.pauseProducing()
    owner.flow.attach(producer, True)
    assert producer.said == ["pause"]


def test_only_one_producer(owner: Owner) -> None:
    owner.flow.attach(Producer(), True)
    with pytest.raises(RuntimeError):
        owner.flow.attach(Producer(), True)


def test_a_pull_producer_is_asked_once_a_turn_while_there_is_room(owner: Owner, clock: Clock) -> None:
    class Filler(Producer):
        def resumeProducing(self) -> None:
            super().resumeProducing()
            if len(self.said) % 3 == 0:
                owner.flow.pauseProducing()

    producer = Filler()
    owner.flow.attach(producer, False)
    assert producer.said == ["resume"]
    clock.advance(0)
    assert producer.said == ["resume"] * 3
    owner.flow.resumeProducing()
    assert producer.said == ["resume"] * 4
    owner.flow.detach()
    clock.advance(0)
    assert producer.said == ["resume"] * 4
    assert clock.getDelayedCalls() == []


def test_a_lost_transport_stops_the_producer(owner: Owner) -> None:
    producer = Producer()
    owner.flow.attach(producer, True)
    owner.flow.stopProducing()
    assert producer.said == ["stop"]


def test_close_holds_nothing_back_any_more(owner: Owner, clock: Clock) -> None:
    owner.flow.hold()
    owner.flow.pauseProducing()
    owner.flow.close()
    assert owner.reads and owner.flow.reading
    assert owner.wire.producer is None
    owner.flow.pauseProducing()
    owner.flow.hold()
    assert owner.reads and owner.flow.reading
    assert clock.getDelayedCalls() == []
    owner.flow.close()


def test_a_producer_that_comes_after_the_end_is_stopped(owner: Owner) -> None:
    producer = Producer()
    owner.flow.close()
    owner.flow.attach(producer, True)
    assert producer.said == ["stop"] and not owner.flow.producing
