"""What a broker owes, held against the one in memory and against Redis."""

import contextlib
import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from websocketsvc.backplane import Anew, BrokerAway, Came, Left, Present, Refused, Said
from websocketsvc.redisbroker import RedisBroker, read_step
from websocketsvc.roomoptions import RoomOptions

from tests.support.redis_server import RedisServer

from .support.memory_broker import Memory

WAIT = 20.0
BODY = b'{"member":"m","data":"x y"}'


class Calls:
    """A reactor's thread, as far as a broker needs one: the test's own."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.Queue()

    def callFromThread(self, function: Callable[..., None], *arguments: Any) -> None:
        self._queue.put((function, arguments))

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT
        while not condition():
            function, arguments = self._queue.get(timeout=max(end - time.monotonic(), 0.01))
            function(*arguments)


class Site:
    """Brokers as replicas have them."""

    def __init__(self, memory: Memory, server: RedisServer | None) -> None:
        self.calls, self._memory, self.server = Calls(), memory, server
        self.made: list[Any] = []

    def broker(self, **options: Any) -> Any:
        name, chosen = f"replica{len(self.made)}", RoomOptions(**options)
        if self.server is None:
            broker: Any = self._memory.connect("", "", name, chosen, None)
        else:
            broker = RedisBroker(self.server.url, "test:/ws/rooms", name, chosen, self.calls)
        self.made.append(broker)
        broker.steps, broker.backs = [], 0

        def back() -> None:
            broker.backs += 1

        broker.start(lambda *step: broker.steps.append(step), back)
        self.calls.until(lambda: broker.backs == 1)
        return broker

    def get(self, deferred: "Deferred[Any]") -> Any:
        """Its result; raises what it failed with."""
        found: list[Any] = []
        deferred.addBoth(found.append)
        self.calls.until(lambda: bool(found))
        if isinstance(found[0], Failure):
            found[0].raiseException()
        return found[0]

    def told(self, broker: Any, count: int) -> list[Any]:
        """The first steps that it has been told."""
        self.calls.until(lambda: len(broker.steps) >= count)
        steps: list[Any] = broker.steps
        return steps


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    running = RedisServer(tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()


@pytest.fixture(params=["memory", "redis"])
def site(request: pytest.FixtureRequest, memory: Memory) -> Iterator[Site]:
    server = None
    if request.param == "redis":
        server = request.getfixturevalue("server")
        server.ask("FLUSHALL")
    made = Site(memory, server)
    yield made
    for broker in made.made:
        broker.stop()


def present(name: str, token: str) -> Present:
    return Present(f"member-{name}", token, b'{"member":"member-%b","name":"%b b"}' % (name.encode(), name.encode()))


def test_all_hear_the_same_steps(site: Site) -> None:
    one, two = site.broker(), site.broker()
    first = site.get(one.open("lobby", 0))
    assert site.get(two.open("lobby", 0)) == first
    assert (first.turn, first.seq, first.gone, first.said, first.members) == (0, 0, 0, [], [])
    epoch, ann = first.epoch, present("Ann", "replica0.1")
    site.get(one.join("lobby", epoch, ann))
    assert [site.get(each.publish("lobby", epoch, key, BODY)) for each, key in ((one, "a"), (two, "b"), (one, "c"))] == [
        1,
        2,
        3,
    ]
    site.get(one.leave("lobby", ann.member, "replica0.1"))
    events = [Came(ann), Said(1, "a", BODY), Said(2, "b", BODY), Said(3, "c", BODY), Left(ann.member, "replica0.1")]
    steps = [("lobby", epoch, turn, event) for turn, event in enumerate(events, 1)]
    assert site.told(one, 5) == site.told(two, 5) == steps


def test_a_room_that_is_opened_later_is_as_it_was_left(site: Site) -> None:
    one, two = site.broker(), site.broker()
    epoch = site.get(one.open("lobby", 0)).epoch
    ann, bob = present("Ann", "replica0.1"), present("Bob", "replica0.2")
    for each in (ann, bob):
        site.get(one.join("lobby", epoch, each))
    for key in "abc":
        site.get(one.publish("lobby", epoch, key, BODY))
    found = site.get(two.open("lobby", 2))
    assert (found.epoch, found.turn, found.seq, found.gone) == (epoch, 5, 3, 0)
    assert [(said.seq, said.key) for said in found.said] == [(2, "b"), (3, "c")]
    assert sorted(found.members, key=lambda each: each.token) == [ann, bob]
    site.get(one.publish("lobby", epoch, "d", BODY))
    assert site.told(two, 1) == [("lobby", epoch, 6, Said(4, "d", BODY))], "only what came after"


def test_what_is_said_twice_is_kept_once(site: Site) -> None:
    broker = site.broker(history=2)
    epoch = site.get(broker.open("lobby", 0)).epoch
    keys = ["a", "b", "a", "c", "a"]
    assert [site.get(broker.publish("lobby", epoch, key, BODY)) for key in keys] == [1, 2, 1, 3, 4], "a was forgotten by then"


@pytest.mark.parametrize(("options", "kept"), [({"history": 3}, [4, 5, 6]), ({"history_bytes": 2 * len(BODY) + 3}, [5, 6])])
def test_history_is_bounded(site: Site, options: dict[str, int], kept: list[int]) -> None:
    broker = site.broker(**options)
    epoch = site.get(broker.open("lobby", 0)).epoch
    for number in range(6):
        site.get(broker.publish("lobby", epoch, str(number), BODY))
    found = site.get(broker.open("lobby", 0))
    assert ([said.seq for said in found.said], found.gone) == (kept, kept[0] - 1)
    site.get(broker.publish("lobby", epoch, "large", BODY * 1000))
    assert site.get(broker.open("lobby", 0)).said[-1].body == BODY * 1000, "the last one is kept in any case"


def test_a_member_is_one_whatever_connections_it_has(site: Site) -> None:
    broker = site.broker()
    epoch = site.get(broker.open("lobby", 0)).epoch
    first, second = present("Ann", "replica0.1"), present("Ann", "replica0.2")
    for each in (first, second, second):
        site.get(broker.join("lobby", epoch, each))
    site.get(broker.leave("lobby", first.member, first.token))
    assert site.get(broker.open("lobby", 0)).members == [second]
    assert [event for _, _, _, event in site.told(broker, 2)] == [Came(first), Came(second)]


def test_what_is_refused(site: Site) -> None:
    broker = site.broker(max_members=1, max_rooms=1)
    epoch = site.get(broker.open("lobby", 0)).epoch
    site.get(broker.join("lobby", epoch, present("Ann", "replica0.1")))
    for asked, why in (
        (broker.open("hall", 0), "most"),
        (broker.join("lobby", epoch, present("Bob", "replica0.2")), "full"),
        (broker.join("lobby", "other", present("Bob", "replica0.2")), "another"),
        (broker.publish("lobby", "other", "a", BODY), "another"),
    ):
        with pytest.raises(Refused, match=why):
            site.get(asked)


def test_a_new_epoch(site: Site) -> None:
    one, two = site.broker(), site.broker()
    epoch = site.get(one.open("lobby", 0)).epoch
    site.get(two.open("lobby", 0))
    site.get(one.join("lobby", epoch, present("Ann", "replica0.1")))
    site.get(one.publish("lobby", epoch, "a", BODY))
    for _ in range(2):
        site.get(one.renew("lobby", epoch))
    assert site.told(two, 3)[2][1:] == (epoch, 3, Anew())
    found = site.get(two.open("lobby", 0))
    assert found.epoch != epoch and (found.members, [said.seq for said in found.said]) == ([], [1])


def test_members_of_the_dead_are_swept(site: Site) -> None:
    broker = site.broker()
    epoch = site.get(broker.open("lobby", 0)).epoch
    alive, dead = present("Ann", "replica0.1"), present("Bob", "replica9.1")
    for each in (alive, dead):
        site.get(broker.join("lobby", epoch, each))
    site.get(broker.sweep("lobby"))
    assert site.told(broker, 3)[2][3] == Left(dead.member, dead.token)
    site.get(broker.join("lobby", epoch, dead))
    assert site.get(broker.open("lobby", 0)).members == [alive]


def test_rooms_that_are_closed_are_not_heard_of(site: Site) -> None:
    broker = site.broker()
    epoch = site.get(broker.open("lobby", 0)).epoch
    site.get(broker.open("hall", 0))
    broker.close("lobby")
    site.get(broker.publish("lobby", epoch, "a", BODY))
    site.get(broker.open("lobby", 0))
    site.get(broker.publish("lobby", epoch, "b", BODY))
    assert [event for _, _, _, event in site.told(broker, 1)] == [Said(2, "b", BODY)]


def test_a_redis_that_is_killed_and_comes_back(server: RedisServer, memory: Memory) -> None:
    site = Site(memory, server)
    server.ask("FLUSHALL")
    broker = site.broker()
    epoch = site.get(broker.open("lobby", 0)).epoch
    for number in range(100):
        site.get(broker.publish("lobby", epoch, str(number), BODY))
    under_way = [broker.publish("lobby", epoch, f"more {number}", BODY) for number in range(400)]
    server.kill()
    kept = set(range(1, 101))
    for each in under_way:
        with contextlib.suppress(BrokerAway):
            kept.add(site.get(each))
    with pytest.raises(BrokerAway):
        site.get(broker.publish("lobby", epoch, "later", BODY))
    server.start()
    site.calls.until(lambda: broker.backs == 2)
    found = site.get(broker.open("lobby", 0))
    assert found.epoch == epoch and kept <= {said.seq for said in found.said} | set(range(found.gone + 1))
    broker.stop()


@pytest.mark.parametrize(
    "line", [b"", b"e 1 said", b"e x said 1 k b", b"e 1 sung 1 k b", b"e 1 said 1 k", b"e 1 came m", b"e 1 left m"]
)
def test_lines_that_are_not_ours(line: bytes) -> None:
    assert read_step(line) is None


@pytest.mark.parametrize("query", ["socket_timeout=x", "colour=red", "protocol=9"])
def test_addresses_of_redis_are_checked_at_the_start(query: str) -> None:
    with pytest.raises(TypeError, match="malformed") as caught:
        RedisBroker(f"redis://:geheim@h/0?{query}", "n", "r", RoomOptions(), Calls())
    assert "geheim" not in str(caught.value)
