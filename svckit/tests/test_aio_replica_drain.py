"""The asyncio replica's load and drain, and routers that hang."""

import asyncio
import os

import pytest
from aio_support import Stage, on_stage, packet_of, settle, until
from svckit.handoff import linkend, packets
from svckit.handoff.aio import replica
from svckit.handoff.cell import Cell
from svckit.handoff.codec import VERSION, Connection, Draining, Farewell, Load, Welcome, encode
from svckit.handoff.socketfile import connect

from svckit import refusals

# -- load and drain


@on_stage
async def test_the_load_is_told_when_connections_end(stage: Stage) -> None:
    router = await stage.router()
    for _ in range(3):
        await stage.hand(router)
    for accepted in stage.accepted[:2]:
        accepted.ended()
        accepted.ended()  # said twice, counted once
        accepted.sock.close()
    assert await stage.hear(router, Load) == Load(1)


@on_stage
async def test_a_drain_waits_for_farewell_and_for_connections(stage: Stage) -> None:
    router = await stage.router()
    await stage.hand(router)
    told: list[str] = []
    stage.accepted[0].on_drain = lambda: told.append("drain")
    drain = asyncio.create_task(stage.replica.drain(60))
    await stage.hear(router, Draining)
    assert os.listdir(stage.folder) == []
    assert told == ["drain"]
    late, accepted = stage.pair()
    stage.serve = lambda accepted: setattr(accepted, "on_drain", lambda: told.append("late"))
    router.hand(accepted, b"sent before DRAINING was heard")
    accepted.close()
    await until(lambda: len(stage.accepted) == 2)
    assert told == ["drain", "late"]
    router.say(Farewell())
    await settle()
    assert not drain.done()
    stage.accepted[0].ended()
    stage.accepted[0].sock.close()
    stage.accepted[1].hand_back()
    await settle()
    assert not drain.done()
    await stage.given_back(router)
    await asyncio.wait_for(drain, 10)
    await until(lambda: router.sock.recv(1) == b"")
    assert late.hears_nothing()


@on_stage
async def test_a_router_that_links_during_a_drain_is_told_of_it(stage: Stage) -> None:
    waiting = connect(stage.replica.path)
    await settle()
    await stage.hand(await stage.router())
    drain = asyncio.create_task(stage.replica.drain(0))
    await settle()
    with waiting:
        cell = Cell()
        packets.send(waiting, encode(Welcome(VERSION)), cell.descriptor)
        cell.close()
        heard = b""
        while heard != encode(Draining()):
            heard = (await until(lambda: packet_of(waiting)))[0]
    stage.accepted[0].ended()
    stage.accepted[0].sock.close()
    for router in stage.routers:
        router.die()
    await asyncio.wait_for(drain, 10)


@on_stage
async def test_when_the_drain_time_is_up_what_is_left_says_goodbye_and_is_cut(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "GOODBYE_TIME", 0.0)
    monkeypatch.setattr(replica, "FAREWELL_TIME", 0.0)
    router = await stage.router()
    polite, stubborn = await stage.hand(router), await stage.hand(router)

    def say_goodbye() -> None:
        stage.accepted[0].sock.send(b"bye")

    def fail() -> None:
        raise ZeroDivisionError

    stage.accepted[0].on_expire = say_goodbye
    stage.accepted[1].on_drain = fail
    await stage.replica.drain(0)
    assert await polite.end() == b"bye"
    assert await stubborn.end() == b""
    await stage.replica.drain(0)  # a second one does nothing


# -- a router that hangs


@on_stage
async def test_what_a_router_that_hangs_does_not_take_goes_to_another_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linkend, "TAKE_TIMEOUT", 0.01)
    first, second = await stage.router(), await stage.router()
    await stage.hand(first)
    stage.accepted[0].hand_back(b"x")
    message, _ = await stage.given_back(second)
    assert message.unread == b"x"
    assert first.cell.is_withdrawn


@on_stage
async def test_what_it_said_while_we_were_away_counts(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkend, "TAKE_TIMEOUT", 0.0)
    router = await stage.router()
    await stage.hand(router)
    stage.accepted[0].hand_back(b"x")
    router.take(1)
    await until(lambda: all(each.settled for each in stage.replica._links))
    await settle()
    assert len(stage.replica._links) == 1


@on_stage
async def test_a_router_that_never_says_farewell_does_not_hold_the_drain(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkend, "TAKE_TIMEOUT", 0.01)
    first, second = await stage.router(), await stage.router()
    client = await stage.hand(first)
    stage.accepted[0].on_drain = lambda: stage.accepted[0].hand_back(b"")
    drain = asyncio.create_task(stage.replica.drain(60))
    second.say(Farewell())
    _, sock = await stage.given_back(second)
    await asyncio.wait_for(drain, 10)
    assert first.cell.is_withdrawn
    sock.send(b"alive")
    await client.expect(b"alive")


@on_stage
async def test_what_is_on_its_way_when_the_replica_must_go_gets_421_and_no_reset(stage: Stage) -> None:
    router, _ = await stage.router(), await stage.router()
    client = await stage.hand(router)
    stage.accepted[0].hand_back(b"GET")
    await stage.hear(router, Connection)
    stage.replica.close()
    assert await client.end() == refusals.MISDIRECTED
