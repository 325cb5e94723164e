"""The quick way of a small PUT where the files lie in memory: it is answered in the turn in which it came."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from uploadsvc.together import MOST_AT_ONCE

from .requests_put import BODY, GET, HEAD
from .test_quick_ends import FOREIGN, Leased

PUT = HEAD + BODY


@pytest.fixture
def make(make_uploads: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr("uploadsvc.service.in_memory", lambda folder: True)
    return make_uploads


@pytest.fixture
def service(make: Callable[..., Any], held: Any) -> Any:
    """Its threads do nothing unless they are told to."""
    return make(held, idle_timeout=10)


def statuses(connection: Any) -> list[int]:
    return [answer[0] for answer in connection.answers()]


def test_no_thread_has_part_in_it(service: Any, held: Any) -> None:
    connection = service.connect()
    for body, status in ((b"one", 201), (b"two!", 200), (b"", 200)):
        assert connection.ask("PUT", "/uploads/x", body)[0] == status
        assert connection.ask("GET", "/uploads/x")[2] == body
    assert not held.jobs and service.files() == {"x": b""} and service.site.intake.under_way == 0


def test_the_answer_is_the_ordinary_one(make: Callable[..., Any]) -> None:
    asked: list[tuple[str, dict[str, str]]] = [("x", {}), ("x", {"Want_Repr_Digest": "sha-256=1"}), ("folder", {})]
    answers = []
    for way in ("quick", "ordinary"):
        service = make()
        if way == "ordinary":
            service.site.together = None
        (service.root / "folder").mkdir(exist_ok=True)
        answers += [service.connect().ask("PUT", f"/uploads/{name}", b"abc", **wish) for name, wish in asked]
        (service.root / "x").unlink()
    for _, headers, _ in answers:
        assert headers.pop("etag", '"') and headers.pop("date") and headers.pop("server")
    assert answers[:3] == answers[3:] and [answer[0] for answer in answers[:3]] == [201, 200, 409]


def _until_all_is_done(service: Any, held: Any) -> None:
    service.clock.advance(0)
    while held.jobs:  # what has something behind it goes the ordinary way
        held.run_all()
        service.clock.advance(0)


def test_all_that_have_come_in_one_turn(service: Any) -> None:
    connections = [service.connect() for _ in range(40)]
    for at, connection in enumerate(connections):
        connection.channel.dataReceived(HEAD.replace(b"/x", b"/%d" % at) + BODY)
    assert not any(map(statuses, connections))
    service.clock.advance(0)
    service.clock.advance(0)
    assert all(statuses(connection) == [201] for connection in connections)
    assert service.files() == {str(at): BODY for at in range(40)}


@pytest.mark.parametrize("cut", [len(HEAD), len(HEAD) + 1, len(PUT), len(PUT) + 5])
def test_what_is_behind_it_waits_for_its_answer(service: Any, held: Any, cut: int) -> None:
    connection = service.connect()
    stream = PUT + HEAD + b"y" * len(BODY) + GET
    connection.channel.dataReceived(stream[:cut])
    connection.channel.dataReceived(stream[cut:])
    _until_all_is_done(service, held)
    assert statuses(connection) == [201, 200, 200] and connection.answers()[2][2] == b"y" * len(BODY)
    assert connection.transport.producerState == "producing"


def test_many_that_are_pipelined(service: Any, held: Any) -> None:
    connection = service.connect()
    connection.send(HEAD)
    connection.send(BODY + PUT * 300)
    _until_all_is_done(service, held)
    assert statuses(connection) == [201] + [200] * 300


def test_a_drain_in_between(service: Any) -> None:
    leased = Leased(service)
    leased.connection.channel.dataReceived(PUT)
    leased.connection.channel.drain()
    assert not leased.back and leased.statuses() == []
    service.clock.advance(0)
    assert leased.statuses() == [201] and leased.back == [b""]


def test_a_client_that_ends_its_side_in_between(service: Any) -> None:
    connection = service.connect()
    connection.channel.dataReceived(PUT)
    connection.channel.readConnectionLost()
    assert not connection.transport.disconnecting
    service.clock.advance(0)
    assert statuses(connection) == [201] and connection.transport.disconnecting


def test_a_client_that_leaves_in_between(service: Any) -> None:
    connection = service.connect()
    connection.channel.dataReceived(PUT)
    connection.lose()
    service.clock.advance(0)
    assert connection.answers() == [] and service.files() == {"x": BODY} and service.site.intake.under_way == 0


def test_a_request_of_anothers_goes_back_behind_it(service: Any) -> None:
    leased = Leased(service)
    for data in (PUT, PUT, FOREIGN):
        leased.connection.send(data)
    assert leased.statuses() == [201, 200] and leased.back == [FOREIGN]


def test_a_name_that_has_become_anothers_goes_back(service: Any) -> None:
    leased = Leased(service)
    leased.connection.send(PUT)
    leased.connection.send(PUT)
    leased.connection.channel.lease.ownership.update((("/uploads/", True), ("=/uploads/x", False)))
    leased.connection.send(PUT.replace(b"/x", b"/y"))
    assert leased.statuses() == [201, 200, 201] and not leased.back
    leased.connection.send(PUT)
    assert leased.back == [PUT]


def test_idle_is_the_client(service: Any) -> None:
    connection = service.connect()
    for _ in range(3):
        connection.send(PUT)
        service.clock.advance(9)
    assert not connection.transport.disconnecting
    service.clock.advance(2)
    assert connection.transport.disconnecting


def test_idle_is_not_who_waits_for_a_lock(service: Any, held: Any) -> None:
    connections = [service.connect() for _ in range(2)]
    with service.site.intake.store._while_it_holds("x", lambda about: True):
        connections[0].send(PUT)
        connections[1].send(PUT)
        service.clock.advance(100)
        assert len(held.jobs) == 1 and not any(each.transport.disconnecting for each in connections)
    held.run_one()
    service.clock.advance(0)
    assert [statuses(each) for each in connections] == [[201], [200]] and not held.jobs
    service.clock.advance(9)
    assert not any(each.transport.disconnecting for each in connections)
    service.clock.advance(2)
    assert all(each.transport.disconnecting for each in connections), "the idle time counts again"


def test_it_is_read_on_where_an_earlier_answer_goes_out_meanwhile(service: Any) -> None:
    connection = service.connect()
    connection.send(HEAD)
    connection.channel.dataReceived(BODY + PUT)
    connection.channel.pauseProducing()  # the transport has too much
    service.clock.callLater(0, connection.channel.resumeProducing)  # between the two answers
    service.clock.advance(0)
    assert statuses(connection) == [201, 200] and connection.transport.producerState == "producing"


def test_idle_is_not_who_waits_for_the_reactor(service: Any) -> None:
    connections = [service.connect() for _ in range(MOST_AT_ONCE + 1)]
    for connection in connections:
        connection.channel.dataReceived(PUT)
    service.clock.advance(100)  # the process stood still, between two turns
    last = connections[-1]
    assert statuses(last) == [200] and not last.transport.disconnecting
    service.clock.advance(9)
    assert not last.transport.disconnecting
    service.clock.advance(2)
    assert last.transport.disconnecting, "the idle time counts again"


def test_a_disk_that_is_mounted_there_meanwhile_is_a_thread_s(service: Any, held: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = service.connect()
    connection.send(PUT)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", lambda _: SimpleNamespace(st_dev=-1))
        connection.send(PUT)
    assert len(held.jobs) == 1 and statuses(connection) == [201]
    held.run_all()
    assert statuses(connection) == [201, 200] and service.files() == {"x": BODY}
