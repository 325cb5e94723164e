"""Tunnels in which nothing moves are records: the same happens to them as to those that are objects."""

import socket
from collections.abc import Callable, Iterator

import pytest
from portico.arrival import Offered
from portico.pump import End
from portico.targets import crowd
from twisted.logger import globalLogPublisher

from .support.resting import counted, sleepers, sleeping
from .support.splitrig import Rig, get, pass_through
from .support.wires import Inbox, reset

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: talk\r\n\r\n"
IDLE = 60.0
PREFACE = b"hello"


@pytest.fixture(autouse=True)
def _all_count(rig: Rig) -> Iterator[None]:
    rig.make(keepalive="pin", tunnel_idle=IDLE)
    with counted(rig):
        yield


def talk(rig: Rig, client: Inbox, server: Inbox) -> None:
    """A word each way."""
    for one, other in ((client, server), (server, client)):
        one.sock.send(b"word")
        rig.expect(other, b"word")


def joined(rig: Rig) -> tuple[Inbox, Inbox]:
    """A tunnel in which something has moved."""
    client = rig.connect(PREFACE)
    server = rig.accept()
    rig.expect(server, PREFACE)
    talk(rig, client, server)
    return client, server


def asleep(rig: Rig) -> tuple[Inbox, Inbox]:
    """A client and its server, whose tunnel is a record."""
    ends = joined(rig)
    sleeping(rig, sleepers(rig) + 1)
    return ends


def test_it_takes_no_object_and_wakes_from_either_side(rig: Rig) -> None:
    client, server = asleep(rig)
    assert rig.places is not None
    assert (len(rig.target._tunnels), len(rig.target._tunnels._awake), rig.places.held, rig.loads) == (1, 0, 1, [1])
    talk(rig, client, server)
    sleeping(rig, 1)
    talk(rig, server, client)
    sleeping(rig, 1)
    client.sock.close()
    assert rig.ends(server) == b""
    server.sock.close()
    rig.reactor.settle()
    (line,) = rig.logged.lines
    assert (line["ended"], line["up"], line["down"]) == ("--", len(PREFACE) + 12, 12)
    assert line["replica"] == "{}:{}".format(*rig.at)
    assert rig.loads == [0]


def test_bulk_through_one_that_was_asleep(rig: Rig) -> None:
    client, server = asleep(rig)
    pass_through(rig, client, server, bytes(8 << 20))
    pass_through(rig, server, client, bytes(8 << 20))
    free = len(rig.pipes._free)
    sleeping(rig, 1)
    assert len(rig.pipes._free) >= free
    assert rig.pipes._made == len(rig.pipes._free)  # none stays with it


def test_one_that_was_http_once(rig: Rig) -> None:
    """An upgraded connection; what went through before counts."""
    rig.make(tunnel_idle=IDLE)
    client = rig.connect(get(b"/a/1", b"Connection: upgrade", b"Upgrade: talk"))
    server = rig.accept()
    server.sock.send(UPGRADE)
    rig.reactor.until(client.holds(UPGRADE))
    up, server.data, client.data = len(server.read()), b"", b""
    sleeping(rig, 1)
    talk(rig, client, server)
    sleeping(rig, 1)
    reset(client.sock)
    rig.reactor.until(server.has_ended)
    (line,) = rig.logged.lines
    assert (line["ended"], line["up"], line["down"]) == ("CD", up + 4, len(UPGRADE) + 4)
    assert (line["method"], line["target"], line["host"]) == ("GET", "/a/1", "h")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(("leave", "how"), [(socket.socket.close, "--"), (reset, "D")])
def test_one_side_leaves(rig: Rig, which: int, leave: Callable[[socket.socket], None], how: str) -> None:
    ends = asleep(rig)
    leave(ends[which].sock)
    rig.reactor.until(ends[1 - which].has_ended)
    assert ends[1 - which].reset == (how == "D")
    ends[1 - which].sock.close()
    rig.reactor.settle()
    assert [line["ended"] for line in rig.logged.lines] == ["--" if how == "--" else "CS"[which] + how]


@pytest.mark.parametrize("which", [0, 1])
def test_one_side_ends_and_the_other_goes_on(rig: Rig, which: int) -> None:
    """As long as one side has ended it is an object."""
    ends = asleep(rig)
    ends[which].sock.shutdown(socket.SHUT_WR)
    rig.reactor.until(ends[1 - which].has_ended)
    rig.reactor.pump([1.0] * 50)
    assert sleepers(rig) == 0
    ends[1 - which].sock.send(b"more")
    rig.expect(ends[which], b"more")
    ends[1 - which].sock.shutdown(socket.SHUT_WR)
    assert rig.ends(ends[which]) == b""
    assert [line["ended"] for line in rig.logged.lines] == ["--"]


def test_both_sides_at_once(rig: Rig) -> None:
    """Two events of one batch; the second one is of what the first has woken."""
    client, server = asleep(rig)
    client.sock.send(b"up")
    server.sock.send(b"down")
    rig.reactor.until(client.holds(b"down"))
    rig.reactor.until(server.holds(b"up"))
    sleeping(rig, 1)
    reset(client.sock)
    reset(server.sock)
    rig.reactor.settle()
    assert len(rig.logged.lines) == 1


def test_its_time_is_up(rig: Rig) -> None:
    client, server = asleep(rig)
    interval = rig.target._tunnels._idle.interval
    rig.reactor.pump([1.0] * int(IDLE - 3 * interval - crowd.QUIET))
    assert not client.has_ended()
    rig.reactor.pump([1.0] * int(4 * interval + crowd.QUIET))
    assert rig.ends(client) == rig.ends(server) == b""
    (line,) = rig.logged.lines
    assert (line["ended"], line["why"]) == ("cD", "idle")
    assert not client.reset


def test_what_moves_begins_its_time_anew(rig: Rig) -> None:
    client, server = asleep(rig)
    for _ in range(4):
        rig.reactor.pump([1.0] * int(IDLE * 0.7))
        talk(rig, client, server)
    assert not client.has_ended()


def test_woken_for_nothing_its_time_goes_on(rig: Rig) -> None:
    client, _ = asleep(rig)
    tunnels = rig.target._tunnels
    (descriptor,) = tunnels._records
    for _ in range(12):
        rig.reactor.pump([1.0] * 5)
        if descriptor in tunnels._records:
            tunnels._stirs(descriptor, 0)
    rig.reactor.pump([1.0] * int(IDLE / 8 + 4))
    assert rig.ends(client) == b""


def test_cut_they_are_broken_off(rig: Rig) -> None:
    ends = [asleep(rig) for _ in range(2)] + [joined(rig)]
    rig.target.stop()
    assert not ends[0][0].has_ended()
    rig.reactor.advance(rig.limits.drain_time)
    for client, server in ends:
        rig.reactor.until(client.has_ended)
        rig.reactor.until(server.has_ended)
        assert client.reset
        assert server.reset
    assert [line["ended"] for line in rig.logged.lines] == ["KD"] * 3
    assert rig.target.is_empty


def test_a_service_that_is_gone_keeps_them(rig: Rig) -> None:
    client, server = asleep(rig)
    gone = rig.target.retire(())
    talk(rig, client, server)
    assert not gone.called
    client.sock.close()
    rig.reactor.settle()
    server.sock.close()
    rig.reactor.settle()
    assert gone.called


def test_what_a_replica_had_in_its_queue_is_copied_still(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its flags may be another's to change, so splice(2) could wait."""
    client, server = joined(rig)
    (ends,) = rig.target._tunnels._awake.values()
    ends.arrival.was_out()
    sleeping(rig, 1)
    talk(rig, client, server)
    (ends,) = rig.target._tunnels._awake.values()
    assert type(ends.arrival) is Offered
    monkeypatch.setattr("os.splice", None)
    pass_through(rig, client, server, bytes(4 << 20))


def test_a_crowd_is_laid_down_while_it_comes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "FEW", 8)
    rig.make(keepalive="pin")
    ends = [joined(rig)]
    for _ in range(24):
        ends.append(joined(rig))
        talk(rig, *ends[0])
        assert len(rig.target._tunnels._awake) <= 10
    assert sleepers(rig) >= 14
    assert len(rig.target._tunnels) == rig.loads[0] == 25
    for client, server in ends:
        talk(rig, client, server)


@pytest.mark.parametrize("first", [False, True])
def test_one_that_cannot_be_woken_is_closed_and_forgotten(rig: Rig, monkeypatch: pytest.MonkeyPatch, first: bool) -> None:
    client, server = asleep(rig)
    failures: list[object] = []
    globalLogPublisher.addObserver(failures.append)  # type: ignore[arg-type]
    calls: list[End] = []
    wake = End.wake

    def fail(end: End) -> None:
        calls.append(end)
        if len(calls) == 1 + first:
            raise RuntimeError("as planned")
        wake(end)

    monkeypatch.setattr(End, "wake", fail)
    server.sock.send(b"x")
    rig.reactor.until(client.has_ended)
    globalLogPublisher.removeObserver(failures.append)  # type: ignore[arg-type]
    assert any("as planned" in str(event) for event in failures)
    assert rig.places is not None
    assert (len(rig.target._tunnels), rig.places.held, rig.loads, len(rig.poller)) == (0, 0, [0], 0)
