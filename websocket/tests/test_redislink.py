"""The link to a Redis that dies, hangs, refuses, or was never there."""

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest
from websocketsvc import redislink, redissession
from websocketsvc.backplane import BrokerAway
from websocketsvc.redisbroker import RedisBroker
from websocketsvc.roomoptions import RoomOptions

from tests.support.redis_server import RedisServer

from .support.brokers import Calls, Site
from .support.memory_broker import Memory

BODY = b'{"member":"m","data":1}'


@pytest.fixture
def site(server: RedisServer, memory: Memory) -> Iterator[Site]:
    server.ask("FLUSHALL")
    made = Site(memory, server)
    yield made
    for broker in made.made:
        broker.stop()


def test_a_redis_that_is_killed_and_comes_back(site: Site, server: RedisServer) -> None:
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


def test_a_feed_that_is_cut_is_noticed(site: Site, server: RedisServer) -> None:
    broker = site.broker()
    epoch = site.get(broker.open("lobby", 0)).epoch
    server.ask("CLIENT", "KILL", "TYPE", "pubsub")
    site.calls.until(lambda: broker.backs == 2)
    site.get(broker.open("lobby", 0))
    site.get(broker.publish("lobby", epoch, "a", BODY))
    assert site.told(broker, 1)[0][2] == 1


def test_a_redis_that_hangs_counts_as_away(site: Site, server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redissession, "ANSWER_TIME", 0.3)
    broker = site.broker()
    epoch = site.get(broker.open("lobby", 0)).epoch
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        for key in "ab":
            with pytest.raises(BrokerAway):
                site.get(broker.publish("lobby", epoch, key, BODY))
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    site.calls.until(lambda: broker.backs == 2)
    assert site.get(broker.open("lobby", 0)).epoch == epoch


def test_a_redis_that_is_full_says_so(site: Site, server: RedisServer) -> None:
    broker = site.broker()
    epoch = site.get(broker.open("lobby", 0)).epoch
    server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(BrokerAway, match="the broker says"):
            site.get(broker.publish("lobby", epoch, "a", BODY))
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    assert site.get(broker.publish("lobby", epoch, "a", BODY)) == 1


def test_not_more_than_so_much_waits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redislink, "WAITING", 3)
    broker = site.broker()
    epoch = site.get(broker.open("lobby", 0)).epoch
    asked = [broker.publish("lobby", epoch, str(number), BODY) for number in range(4)]
    with pytest.raises(BrokerAway, match="slow"):
        site.get(asked[3])
    assert [site.get(each) for each in asked[:3]] == [1, 2, 3]


def test_more_than_goes_in_one_piece(site: Site) -> None:
    broker = site.broker()
    epoch = site.get(broker.open("lobby", 0)).epoch
    asked = [broker.publish("lobby", epoch, str(number), BODY) for number in range(3 * redissession.AT_ONCE)]
    assert [site.get(each) for each in asked] == list(range(1, len(asked) + 1))


def test_a_wrong_password_is_no_reason_to_end(site: Site, server: RedisServer) -> None:
    calls, backs = Calls(), []
    broker = RedisBroker(server.url.replace("open", "close"), "n", "r", RoomOptions(), calls)
    broker.start(lambda *step: None, lambda: backs.append(1))
    calls.until(lambda: bool(broker._link._told_away))
    broker.stop()
    assert "password" in broker._link._told_away and server.quoted[5:] not in broker._link._told_away
    assert backs == [] and not broker._link._thread.is_alive()


def test_addresses_of_redis_are_checked_at_the_start() -> None:
    with pytest.raises(TypeError, match="malformed") as caught:
        RedisBroker("redis://:geheim@h/0?socket_timeout=x", "n", "r", RoomOptions(), Calls())
    assert "geheim" not in str(caught.value)
