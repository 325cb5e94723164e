"""The drain. It happens once, so it is one rule and the last; somebody must be able to stop the replica."""

from ..codec import Connection, Draining, Farewell, Taken
from .bench import Bench, Broken, PlayedRouter
from .rules import rule


@rule(
    "Drain",
    "stopped, it unlinks, says DRAINING, serves what was sent before, gives idle connections back, ends the link",
)
def drain(bench: Bench) -> None:
    assert bench.stop is not None
    first, second = bench.router(), bench.router()
    idle = bench.served(first)
    bench.stop()
    for router in (first, second):
        router.hear(Draining)
        if bench.socket.exists():
            raise Broken("DRAINING is said and the file is still there")
    late = bench.client()
    number = first.hand(late, late.request())
    _take_everything(first, 1, number)
    late.accepted.close()
    late.expect_answer("a request that was sent before FAREWELL")
    for router in (first, second):
        router.say(Farewell())
    message, sock = first.back(late)  # by now it is idle too
    sock.close()
    first.say(Taken(message.number, 0))
    first.expect_end()
    second.expect_end()
    idle.expect_alive(first.returned[0])


def _take_everything(router: PlayedRouter, back: int, number: int) -> None:
    """Until `back` connections have come back and all up to `number` are taken."""
    came, taken = 0, 0
    while came < back or taken < number:
        said = router.hear_any(router.patience)
        if said is None:
            raise Broken(f"in the drain {came} idle connections came back, and TAKEN was said up to {taken} of {number}")
        if isinstance(said, Connection):
            came += 1
            router.say(Taken(said.number, 0))
        elif isinstance(said, Taken):
            taken = said.number
