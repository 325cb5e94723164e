"""The ways of choosing a replica, by the names that a configuration has for them."""

from collections import Counter
from dataclasses import dataclass

import pytest
from portico import balancing
from portico.arrival import Arrival
from portico.balancing import Balancer, agree_on, seed_from
from portico.config import BadConfig, Handoff, Tcp, parse
from portico.core.head import read_head

from .support.wires import arrive

REST = """
[[listeners]]
address = "127.0.0.1:0"
[[routes]]
prefix = "/"
service = "web"
"""


@dataclass
class Replica:
    name: str
    load: int = 0
    capacity: int = 10


def replicas(*loads: int) -> list[Replica]:
    return [Replica(f"r{index}", load) for index, load in enumerate(loads)]


def arrival(client: str = "192.0.2.1", target: str = "/ws/rooms/blue") -> Arrival:
    ours, made = arrive()
    ours.close()
    made.close()
    made.client = (client, 5000)
    made.head = read_head(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    return made


def first(balancer: Balancer, of: list[Replica], who: Arrival) -> str:
    return next(iter(balancer.order(of, who))).name


def test_least_connections_is_the_default() -> None:
    assert first(Balancer(Handoff()), replicas(3, 1, 2), arrival()) == "r1"
    assert first(Balancer(Tcp("h:1")), replicas(3, 1, 2), arrival()) == "r1"


def test_round_robin_goes_round_whatever_they_have_open() -> None:
    balancer, of = Balancer(Handoff(balance="round-robin")), replicas(9, 0, 5)
    assert [first(balancer, of, arrival()) for _ in range(6)] == ["r0", "r1", "r2"] * 2


def test_random_two_takes_the_one_with_fewer() -> None:
    balancer = Balancer(Handoff(balance="random-two"), below=lambda n: 0)
    assert first(balancer, replicas(5, 4, 0), arrival()) == "r1"


def test_a_client_always_meets_the_same_replica_from_any_port() -> None:
    balancer, of = Balancer(Handoff(balance="client"), b"seed"), replicas(0, 0, 0)
    chosen = {f"192.0.2.{n}": first(balancer, of, arrival(f"192.0.2.{n}")) for n in range(60)}
    assert {first(balancer, of, arrival(client)) == name for client, name in chosen.items()} == {True}
    assert len(Counter(chosen.values())) == 3


def test_a_segment_of_the_path_decides_and_nothing_else() -> None:
    balancer, of = Balancer(Handoff(balance="segment", segment=3), b"seed"), replicas(0, 0, 0)
    rooms = {name: first(balancer, of, arrival(target=f"/ws/rooms/{name}")) for name in map(str, range(40))}
    for name, replica in rooms.items():
        assert first(balancer, of, arrival("198.51.100.9", f"/ws//rooms/{name}/x?y")) == replica
    assert len(set(rooms.values())) == 3
    fewer = [replica for replica in of if replica.name != "r1"]
    for name, replica in rooms.items():
        assert replica in ("r1", first(balancer, fewer, arrival(target=f"/ws/rooms/{name}")))


@pytest.mark.parametrize("target", ["/ws/rooms", "/", "/%zz/a/b"])
def test_without_that_segment_it_is_the_least_busy(target: str) -> None:
    balancer = Balancer(Handoff(balance="segment", segment=3))
    assert first(balancer, replicas(3, 1, 2), arrival(target=target)) == "r1"


def test_a_full_replica_is_passed_over_by_each_way() -> None:
    for settings in (Handoff(), Handoff(balance="round-robin"), Handoff(balance="random-two"), Handoff(balance="client")):
        assert {replica.name for replica in Balancer(settings).order(replicas(10, 3), arrival())} == {"r1"}


def test_the_seed_is_the_environment_s_or_a_new_one() -> None:
    assert seed_from({"PORTICO_HASH_SEED": "shared"}) == b"shared"
    assert seed_from({}) != seed_from({})


def test_routers_of_one_keeper_have_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancing, "_seed", b"drawn")
    monkeypatch.delenv("PORTICO_HASH_SEED", raising=False)
    agree_on(b"keeper's")
    of, clients = replicas(0, 0, 0), [f"192.0.2.{n}" for n in range(60)]
    ours, same = Balancer(Handoff(balance="client")), Balancer(Handoff(balance="client"), b"keeper's")
    assert [first(ours, of, arrival(client)) for client in clients] == [first(same, of, arrival(client)) for client in clients]
    monkeypatch.setenv("PORTICO_HASH_SEED", "given")
    agree_on(b"keeper's")
    assert balancing._seed == b"given"


def test_routers_with_one_seed_agree_and_others_do_not() -> None:
    of, clients = replicas(0, 0, 0), [f"192.0.2.{n}" for n in range(60)]

    def choices(seed: bytes) -> list[str]:
        balancer = Balancer(Handoff(balance="client"), seed)
        return [first(balancer, of, arrival(client)) for client in clients]

    assert choices(b"one") == choices(b"one") != choices(b"two")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('balance = "segment"', "services.web.segment: expected beside"),
        ("segment = 3", "services.web.segment: expected beside"),
        ('balance = "best"', "services.web.balance"),
        ('balance = "segment"\nsegment = 0', "services.web.segment"),
    ],
)
def test_errors_name_the_key(lines: str, expected: str) -> None:
    with pytest.raises(BadConfig, match=expected):
        parse(f'{REST}[services.web]\ntarget = "handoff"\n{lines}\n')
