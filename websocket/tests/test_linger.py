from twisted.internet.task import Clock
from websocketsvc.linger import linger

from .support.fixtures import Tools


def test_our_direction_closes_first_and_the_rest_after_a_while(tools: Tools, clock: Clock) -> None:
    wire = tools.Wire()
    linger(wire, clock, 2.0)
    assert wire.half_closed and not wire.aborted
    clock.advance(1.9)
    assert not wire.aborted
    clock.advance(0.1)
    assert wire.aborted


def test_cancelled_when_the_client_hung_up(tools: Tools, clock: Clock) -> None:
    wire = tools.Wire()
    linger(wire, clock, 2.0).cancel()
    clock.advance(3)
    assert not wire.aborted


def test_a_transport_that_cannot_close_one_direction_is_closed(clock: Clock) -> None:
    class Whole:
        closed = aborted = False

        def loseConnection(self) -> None:
            self.closed = True

        def abortConnection(self) -> None:
            self.aborted = True

    whole = Whole()
    linger(whole, clock, 2.0)
    assert whole.closed
    clock.advance(2)
    assert whole.aborted
