"""The feed of the routers' status."""

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from websocketsvc.live import Live, LiveFactory


class Routers:
    def __init__(self) -> None:
        self.looks = 0
        self.answer: Deferred[list[dict[str, object]]] | None = None

    async def look(self) -> list[dict[str, object]]:
        self.looks += 1
        if self.answer is not None:
            return await self.answer
        return [{"held": self.looks, "services": {}}]


@pytest.fixture
def routers() -> Routers:
    return Routers()


@pytest.fixture
def factory(routers: Routers, clock: Clock) -> LiveFactory:
    return LiveFactory(routers.look, 1.0, clock, lambda: 1790000000.1234)


def listen(factory: LiveFactory) -> tuple[Live, StringTransport]:
    transport = StringTransport()
    listener = factory.buildProtocol(None)
    assert isinstance(listener, Live)
    listener.makeConnection(transport)
    return listener, transport


def held(transport: StringTransport) -> list[int]:
    lines = transport.value().splitlines()
    transport.clear()
    return [json.loads(line)["held"] for line in lines]


def test_a_line_at_once_and_then_one_each_second(factory: LiveFactory, clock: Clock) -> None:
    _, transport = listen(factory)
    (line,) = transport.value().splitlines(keepends=True)
    assert line.endswith(b"}\n")
    told = json.loads(line)
    assert (told["type"], told["time"], told["routers"]) == ("status", 1790000000.123, 1)
    transport.clear()
    clock.advance(0.9)
    assert held(transport) == []
    clock.advance(0.2)
    clock.advance(1.1)
    assert held(transport) == [2, 3]


def test_all_share_one_look(factory: LiveFactory, clock: Clock, routers: Routers) -> None:
    transports = [listen(factory)[1] for _ in range(3)]
    assert [held(transport) for transport in transports] == [[1], [1], [1]]
    clock.advance(1)
    assert [held(transport) for transport in transports] == [[2], [2], [2]]
    assert routers.looks == 2


def test_nobody_looks_while_nobody_listens(factory: LiveFactory, clock: Clock, routers: Routers) -> None:
    first, second = listen(factory)[0], listen(factory)[0]
    first.connectionLost()
    clock.advance(1)
    assert routers.looks == 2
    second.connectionLost()
    assert clock.getDelayedCalls() == []
    _, transport = listen(factory)
    assert held(transport) == [3], "not an old line"


def test_who_comes_during_a_look_waits_for_it(factory: LiveFactory, clock: Clock, routers: Routers) -> None:
    routers.answer = Deferred()
    (first, one), (_, two) = listen(factory), listen(factory)
    first.connectionLost()
    assert routers.looks == 1
    routers.answer.callback([{"held": 7}])
    assert (held(one), held(two)) == ([], [7])


def test_a_look_that_fails_is_not_the_end(factory: LiveFactory, clock: Clock, routers: Routers) -> None:
    routers.answer = Deferred()
    _, transport = listen(factory)
    routers.answer.errback(RuntimeError("no"))
    routers.answer = None
    assert held(transport) == []
    clock.advance(1)
    assert held(transport) == [2]


def test_a_status_that_cannot_be_summed_up_is_not_the_end(factory: LiveFactory, clock: Clock, routers: Routers) -> None:
    routers.answer = Deferred()
    _, transport = listen(factory)
    routers.answer.callback([{"services": 5}])
    routers.answer = None
    clock.advance(1)
    assert held(transport) == [2]


def test_a_client_that_does_not_read_misses_lines(factory: LiveFactory, clock: Clock) -> None:
    (listener, transport), (_, other) = listen(factory), listen(factory)
    listener.pauseProducing()
    clock.advance(1)
    clock.advance(1)
    assert (held(transport), held(other)) == ([1], [1, 2, 3])
    listener.resumeProducing()
    clock.advance(1)
    assert held(transport) == [4]
    listener.stopProducing()
    clock.advance(1)
    assert held(transport) == []
