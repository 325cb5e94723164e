"""What a broker owes, held against the one in memory and against Redis."""

from collections.abc import Iterator

import pytest
from websocketsvc.backplane import Anew, Came, Left, Present, Refused, Said
from websocketsvc.redisbroker import read_step

from .support.brokers import Site
from .support.memory_broker import Memory

BODY = b'{"member":"m","data":"x y"}'


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


def test_lines_that_are_not_ours() -> None:
    lines = "", "e 1 said", "e x said 1 k b", "e 1 sung 1 k b", "e 1 said 1 k", "e 1 came m", "e 1 left m", "e 1 anew x"
    assert [read_step(line.encode()) for line in lines] == [None] * len(lines)
