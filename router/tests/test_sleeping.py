"""Clients of a split service between two requests are records: the same happens to them as to those that are objects."""

import socket
from collections.abc import Callable, Iterator

import pytest
from portico.config import Limits
from portico.poller import READ
from portico.targets.session import Session
from portico.targets.sleeping import Sleeping
from portico.targets.split import LAST_REQUESTS
from twisted.logger import globalLogPublisher

from .support.resting import counted, sleepers, sleeping
from .support.splitrig import OK, Rig, get, post, sent
from .support.wires import Inbox, reset

CLOSING = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture(autouse=True)
def _all_count(rig: Rig) -> Iterator[None]:
    with counted(rig):
        yield


def asleep(rig: Rig) -> Inbox:
    """A client that has had one answer, and is a record."""
    client, _ = rig.kept()
    sleeping(rig, sleepers(rig) + 1)
    return client


def test_it_takes_no_object_and_wakes_for_a_request(rig: Rig) -> None:
    client = asleep(rig)
    assert rig.places is not None
    assert (len(rig.target._split), len(rig.target._split._sessions), rig.places.held) == (1, 0, 1)
    client.sock.send(get(b"/a/1"))
    server = rig.accept()
    server.sock.send(OK)
    rig.expect(client, OK)
    rig.exchange(client, server, get(b"/a/2"))
    sleeping(rig, 1)
    client.sock.close()
    rig.reactor.settle()
    (line,) = rig.logged.lines
    wire = len(sent(get()))
    assert (line["ended"], line["up"], line["down"]) == ("--", 3 * wire, 3 * len(OK))
    assert (line["target"], line["host"], line["client"]) == ("/a/2", "h", "127.0.0.1")
    assert line["replica"] == "{}:{}".format(*rig.at)


def test_its_time_counts_from_its_last_answer(rig: Rig) -> None:
    client = asleep(rig)
    passed = rig.reactor.seconds()
    rig.reactor.pump([1.0] * int(rig.limits.idle_timeout - passed - 1))
    assert not client.has_ended()
    rig.reactor.pump([1.0] * 4)
    assert rig.ends(client) == b""
    (line,) = rig.logged.lines
    assert line["ended"] == "cR"


def test_woken_for_nothing_it_is_still_idle_since_then(rig: Rig) -> None:
    client = asleep(rig)
    split = rig.target._split
    ((descriptor, _),) = split._sleeping._late.all()
    split._sleeping._stirs(descriptor, READ)
    assert len(split._sessions) == 1
    rig.reactor.pump([1.0])
    assert sleepers(rig) == 1  # at the next look, as it has been quiet for long
    rig.reactor.pump([1.0] * int(rig.limits.idle_timeout))
    assert rig.ends(client) == b""


@pytest.mark.parametrize(("leave", "ended"), [(socket.socket.close, "--"), (reset, "CR")])
def test_a_client_that_leaves(rig: Rig, leave: Callable[[socket.socket], None], ended: str) -> None:
    client = asleep(rig)
    leave(client.sock)
    rig.reactor.settle()
    assert [line["ended"] for line in rig.logged.lines] == [ended]
    assert len(rig.target._split) == 0


def test_a_client_that_ends_its_side_is_closed(rig: Rig) -> None:
    client = asleep(rig)
    client.sock.shutdown(socket.SHUT_WR)
    assert rig.ends(client) == b""


@pytest.mark.parametrize("cut", [1, 20])
def test_a_request_that_is_another_services_or_not_whole_goes_back(rig: Rig, cut: int) -> None:
    for wire in (get(b"/b/1"), get()[:cut]):
        client = asleep(rig)
        client.sock.send(wire)
        rig.reactor.until(lambda: rig.returned)
        back = rig.returned.pop()
        assert (back.preface, back.client, back.returned) == (wire, client.sock.getsockname(), True)
        assert rig.places is not None
        assert rig.places.held == 1
        back.close()


def test_a_body_and_bulk_after_it(rig: Rig) -> None:
    """Both by splice(2), which waits unless the socket itself is non-blocking."""
    client = asleep(rig)
    body = bytes(1 << 20)
    client.sock.send(post(b"Content-Length: %d" % len(body)))
    server = rig.accept()
    view = memoryview(body)
    while len(server.read()) < len(body) + len(sent(post(b"Content-Length: %d" % len(body)))):
        view = view[client.sock.send(view[:65_536]) :] if view else view
        rig.reactor.turn(0)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    server.sock.send(answer)
    view, got = memoryview(body), b""
    while len(got) < len(answer) + len(body):
        view = view[server.sock.send(view[:65_536]) :] if view else view
        rig.reactor.turn(0)
        got = client.read()
    assert got == answer + body
    client.data = b""
    sleeping(rig, 1)


def test_a_drain_says_that_it_was_the_last_time_or_ends(rig: Rig) -> None:
    asking, silent = asleep(rig), asleep(rig)
    assert sleepers(rig) == 2
    rig.target.stop()
    asking.sock.send(get())
    rig.accept().sock.send(OK)
    assert rig.ends(asking) == CLOSING
    assert not silent.has_ended()
    rig.reactor.advance(LAST_REQUESTS)
    assert rig.ends(silent) == b""
    assert sorted(str(line["ended"]) for line in rig.logged.lines) == ["--", "KR"]
    assert rig.target.is_empty


def test_cut_they_are_broken_off(rig: Rig) -> None:
    clients = [asleep(rig) for _ in range(3)]
    rig.target.close()
    for client in clients:
        rig.reactor.until(client.has_ended)
        assert client.reset
    assert [line["ended"] for line in rig.logged.lines] == ["KR"] * 3


def test_a_service_that_is_gone_keeps_them_until_they_ask(rig: Rig) -> None:
    client = asleep(rig)
    gone = rig.target.retire(())
    assert not gone.called
    client.sock.send(get())
    rig.reactor.until(lambda: rig.returned)
    assert gone.called
    rig.returned[0].close()


# -- where it fails


def test_one_that_cannot_be_woken_is_closed_and_forgotten(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    client = asleep(rig)
    failures: list[object] = []
    globalLogPublisher.addObserver(failures.append)  # type: ignore[arg-type]

    def fail(*_: object) -> None:
        raise RuntimeError("as planned")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "resume", fail)
        client.sock.send(get())
        rig.reactor.settle()
    globalLogPublisher.removeObserver(failures.append)  # type: ignore[arg-type]
    assert any("as planned" in str(event) for event in failures)
    assert rig.places is not None
    assert (len(rig.target._split), rig.places.held) == (0, 0)
    assert client.has_ended()


def test_an_event_that_is_out_of_date_finds_nothing(rig: Rig) -> None:
    asleep(rig)
    split: Sleeping = rig.target._split._sleeping
    ((descriptor, _),) = split._late.all()
    for session in split.each():
        session.end("--")
    split._stirs(descriptor, READ)
    assert len(rig.logged.lines) == 1


def test_who_cannot_be_a_record_stays_an_object(rig: Rig) -> None:
    rig.places = None
    rig.kept()
    sleeping(rig, 0)
    assert len(rig.target._split._sessions) == 1


def test_with_limits_of_its_own(rig: Rig) -> None:
    """An idle time shorter than the one after which a client is laid down."""
    rig.make(limits=Limits(idle_timeout=2.0))
    client, _ = rig.kept()
    rig.reactor.pump([1.0] * 4)
    assert rig.ends(client) == b""
