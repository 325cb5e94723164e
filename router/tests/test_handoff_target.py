"""The handoff target: who gets what a replica did not take."""

import os
from pathlib import Path

from portico.core.answers import QUEUE_DRAINED
from portico.service import RoutedService
from portico.targets.handoff import SCAN_INTERVAL, HandoffTarget
from portico.targets.socketfiles import SUSPENSION
from svckit.handoff.cell import is_revoked
from svckit.handoff.codec import Connection, Load, Taken

from .support.linkrig import HEAD, HandReplica, come, greet
from .support.reactor import HandReactor
from .support.wires import LISTENER, Answers, Logged


def test_what_a_sleeping_replica_did_not_take_goes_to_another(
    reactor: HandReactor, folder: Path, target: HandoffTarget, service: RoutedService, logged: Logged
) -> None:
    asleep = HandReplica(folder, "asleep")
    target.start()
    greet(reactor, asleep)
    client, arrival = come()
    service.put_through(arrival)
    awake = HandReplica(folder, "awake")
    greet(reactor, awake)
    reactor.advance(1.5)
    assert awake.hear() == []
    reactor.pump([SCAN_INTERVAL] * 3)  # take_timeout is over
    reactor.settle()
    asleep.hear()
    assert is_revoked(asleep.cell)
    assert awake.hear() == [Connection(1, arrival.client, LISTENER, HEAD)]
    awake.send(Taken(1, 1))
    reactor.settle()
    assert [(line["how"], line["replica"]) for line in logged.lines] == [("handed over", "awake")]
    assert arrival.sock.fileno() < 0  # our copy is gone
    os.write(awake.taken_over[0][1], b"served")
    assert client.read() == b"served"
    assert not client.ended
    reactor.pump([SCAN_INTERVAL] * int(SUSPENSION / SCAN_INTERVAL + 2))  # it gets another chance, after a while
    asleep.greet()
    reactor.settle()
    assert [each["state"] for each in replicas_of(target)] == ["ready", "ready"]
    for each in (asleep, awake):
        each.die()


def replicas_of(target: HandoffTarget) -> list[dict[str, object]]:
    replicas = target.status()["replicas"]
    assert isinstance(replicas, list)
    return replicas


def test_a_suspended_replica_is_not_linked_at_once(reactor: HandReactor, folder: Path, target: HandoffTarget) -> None:
    mute = HandReplica(folder, "mute")
    target.start()
    reactor.advance(SCAN_INTERVAL)
    mute.accept()
    reactor.pump([SCAN_INTERVAL] * 11)  # no HELLO within take_timeout
    reactor.settle()
    assert replicas_of(target) == []
    reactor.advance(SCAN_INTERVAL)
    assert replicas_of(target) == []
    reactor.pump([SCAN_INTERVAL] * 5)
    assert len(replicas_of(target)) == 1
    mute.die()


def test_a_dead_replicas_file_is_no_replica(reactor: HandReactor, folder: Path, target: HandoffTarget) -> None:
    HandReplica(folder, "dead").die()
    assert list(folder.glob("*.sock"))
    target.start()
    reactor.advance(SCAN_INTERVAL)
    assert replicas_of(target) == []


def test_a_folder_that_is_not_there_yet(reactor: HandReactor, folder: Path, target: HandoffTarget) -> None:
    folder.rmdir()
    target.start()
    reactor.advance(SCAN_INTERVAL)
    folder.mkdir()
    replica = HandReplica(folder)
    greet(reactor, replica)
    assert [each["state"] for each in replicas_of(target)] == ["ready"]
    replica.die()


def test_the_reported_load_decides(reactor: HandReactor, folder: Path, target: HandoffTarget, service: RoutedService) -> None:
    one, two = HandReplica(folder, "one"), HandReplica(folder, "two", capacity=2)
    target.start()
    greet(reactor, one, two)
    one.send(Load(5))
    two.send(Load(1))
    reactor.settle()
    arrivals = [come()[1] for _ in range(3)]
    for arrival in arrivals:
        service.put_through(arrival)
    assert len(two.hear()) == 1  # and then it is full
    assert len(one.hear()) == 2
    for each in (one, two):
        each.die()


def test_a_drain_waits_for_taken(reactor: HandReactor, folder: Path, target: HandoffTarget, service: RoutedService) -> None:
    replica = HandReplica(folder)
    target.start()
    greet(reactor, replica)
    _, arrival = come()
    service.put_through(arrival)
    done: list[None] = []
    target.stop().addCallback(done.append)  # in the same instant
    assert done == []
    replica.hear()
    replica.send(Taken(1, 1))
    reactor.settle()
    assert done == [None]
    assert replica.ended()
    replica.die()


def test_a_drain_without_replicas_is_over_at_once(target: HandoffTarget) -> None:
    target.start()
    done: list[None] = []
    target.stop().addCallback(done.append)
    assert done == [None]


def test_a_drain_gives_up_on_a_replica_that_takes_nothing(
    reactor: HandReactor, folder: Path, target: HandoffTarget, service: RoutedService, answers: Answers
) -> None:
    replica = HandReplica(folder)
    target.start()
    greet(reactor, replica)
    _, arrival = come()
    service.put_through(arrival)
    done: list[None] = []
    target.stop().addCallback(done.append)
    reactor.pump([SCAN_INTERVAL] * 12)
    assert done == [None]
    service.refuse_queued()
    assert answers.given == [(arrival, QUEUE_DRAINED)]
    replica.die()
