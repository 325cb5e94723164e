"""The quick way of a small PUT where it does not go on to its end: clients that leave, a drain, a slow or full disk."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
from svckit.lease import Lease, Ownership

from .requests_put import BODY, GET, HEAD

OURS = (("/uploads/", True), ("/static/", False))
FOREIGN = b"GET /static/y HTTP/1.1\r\nHost: x\r\n\r\n"


class Leased:
    """A connection that can go back to a router."""

    def __init__(self, service: Any, returnable: bool = True) -> None:
        self.back: list[bytes] = []
        self.connection = service.connect()
        self.connection.channel.lease = Lease(Ownership(OURS), self.back.append if returnable else None)

    def statuses(self) -> list[int]:
        return [answer[0] for answer in self.connection.answers()]


@pytest.mark.parametrize("sent", [HEAD, HEAD + BODY[:1], HEAD + BODY[:-1]])
def test_an_early_end_leaves_nothing(service: Any, sent: bytes) -> None:
    connection = service.connect()
    connection.send(sent)
    assert service.site.intake.under_way == 1
    connection.lose()
    assert service.files() == {} and service.site.intake.under_way == 0


def test_a_client_that_ends_its_side_too_early_gets_nothing(service: Any) -> None:
    connection = service.connect()
    connection.send(HEAD + BODY[:-1])
    connection.channel.readConnectionLost()
    assert connection.transport.disconnecting and connection.answers() == []
    connection.lose()
    assert service.files() == {} and service.site.intake.under_way == 0


def test_a_client_that_ends_its_side_behind_the_body_gets_its_answer(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    connection = service.connect()
    connection.send(HEAD + BODY)
    connection.channel.readConnectionLost()
    assert not connection.transport.disconnecting
    held.run_all()
    assert connection.answers()[0][0] == 201 and connection.transport.disconnecting


def test_a_client_that_leaves_while_it_is_at_the_disk(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    leaves, stays = service.connect(), service.connect()
    for name, connection in (("a", leaves), ("b", stays)):
        connection.send(HEAD.replace(b"/x", b"/" + name.encode()) + BODY)
    leaves.lose()
    held.run_all()
    service.clock.advance(0)
    held.run_all()
    assert stays.answers()[0][0] == 201 and leaves.answers() == []
    assert service.files() == {"a": BODY, "b": BODY} and service.site.intake.under_way == 0


def test_idle_is_the_client_and_not_the_disk(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held, idle_timeout=10)
    connection = service.connect()
    connection.send(HEAD)
    for at in range(5):
        connection.clock.advance(9)
        connection.send(BODY[at : at + 1])
    assert not connection.transport.disconnecting, "slow is not idle"
    connection.send(BODY[5:])
    connection.clock.advance(1000)
    assert not connection.transport.disconnecting, "we are slow"
    held.run_all()
    assert connection.answers()[0][0] == 201
    connection.clock.advance(11)
    assert connection.transport.disconnecting, "the idle time counts again"


def test_idle_in_the_middle(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(idle_timeout=10)
    connection = service.connect()
    connection.send(HEAD + BODY[:10])
    connection.clock.advance(11)
    assert connection.transport.disconnecting
    connection.lose()
    assert service.files() == {} and service.site.intake.under_way == 0


def test_a_request_of_anothers_goes_back_behind_it(service: Any) -> None:
    leased = Leased(service)
    for data in (HEAD + BODY, HEAD + BODY, FOREIGN):
        leased.connection.send(data)
    assert leased.statuses() == [201, 200] and leased.back == [FOREIGN]


def test_also_where_it_was_pipelined(make_uploads: Callable[..., Any], held: Any) -> None:
    leased = Leased(make_uploads(held))
    leased.connection.send(HEAD + BODY)
    leased.connection.send(FOREIGN)
    assert not leased.back
    held.run_all()
    assert leased.statuses() == [201] and leased.back == [FOREIGN]


def test_a_put_that_is_not_ours_any_more_goes_back(service: Any) -> None:
    leased = Leased(service)
    leased.connection.send(HEAD + BODY)
    leased.connection.channel.lease.ownership.update((("/uploads/", True), ("/uploads/x", False)))
    leased.connection.send(HEAD + b"y" * len(BODY))
    assert leased.statuses() == [201] and leased.back[0].startswith(HEAD) and service.files() == {"x": BODY}


@pytest.mark.parametrize("came", [10, len(BODY)])
def test_a_drain_waits_for_what_is_under_way(make_uploads: Callable[..., Any], held: Any, came: int) -> None:
    service = make_uploads(held)
    leased = Leased(service)
    leased.connection.send(HEAD + BODY[:came])
    leased.connection.channel.drain()
    assert not leased.back and not leased.connection.transport.disconnecting
    leased.connection.send(BODY[came:])
    held.run_all()
    assert leased.statuses() == [201] and leased.back == [b""], "handed back when all is out"


def test_a_drain_where_nobody_takes_the_connection_back(make_uploads: Callable[..., Any], held: Any) -> None:
    leased = Leased(make_uploads(held), returnable=False)
    leased.connection.send(HEAD + BODY)
    leased.connection.channel.drain()
    held.run_all()
    ((status, headers, _),) = leased.connection.answers()
    assert (status, headers["connection"]) == (201, "close") and leased.connection.transport.disconnecting


def test_a_drained_connection_takes_no_further_one(make_uploads: Callable[..., Any], held: Any) -> None:
    leased = Leased(make_uploads(held))
    leased.connection.send(HEAD + BODY)
    leased.connection.channel.drain()
    leased.connection.send(HEAD + BODY)
    held.run_all()
    assert leased.statuses() == [201] and leased.back == [HEAD + BODY]


def test_a_disk_that_is_full_in_the_middle(
    make_uploads: Callable[..., Any], held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_uploads(held)
    connections = [service.connect() for _ in range(4)]
    real = os.writev

    def writev(fd: int, batch: Any) -> int:
        if batch[0][:1] in b"12":
            raise OSError(errno.ENOSPC if batch[0][:1] == b"1" else errno.EIO, "no")
        return real(fd, batch)

    for at, connection in enumerate(connections):
        connection.channel.dataReceived(HEAD.replace(b"/x", b"/%d" % at) + b"%d" % at + BODY[1:])
    service.clock.advance(0)
    assert len(held.jobs) == 1, "all in one"
    monkeypatch.setattr(os, "writev", writev)
    held.run_all()
    monkeypatch.undo()
    assert [connection.answers()[0][0] for connection in connections] == [201, 507, 500, 201]
    assert set(service.files()) == {"0", "3"} and service.site.intake.under_way == 0
    connections[1].transport.clear()
    connections[1].send(HEAD + BODY)
    held.run_all()
    assert connections[1].answers()[0][0] == 201, "the connection goes on"


def test_two_of_one_name_at_once(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held)
    connections = [service.connect() for _ in range(2)]
    for body, connection in zip((b"a", b"b"), connections, strict=True):
        connection.channel.dataReceived(HEAD + body * len(BODY))
    service.clock.advance(0)
    held.run_all()
    assert [connection.answers()[0][0] for connection in connections] == [201, 200]
    assert service.files() == {"x": b"b" * len(BODY)}


def test_as_many_at_a_time_as_allowed(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held, parallel=2)
    connections = [service.connect() for _ in range(3)]
    for connection in connections:
        connection.send(HEAD + BODY)
    assert [answer[0] for answer in connections[2].answers()] == [503]
    held.run_all()
    service.clock.advance(0)
    held.run_all()
    assert [connection.answers()[0][0] for connection in connections[:2]] == [201, 200]
    assert service.connect().ask("GET", "/uploads/x")[2] == BODY and GET
