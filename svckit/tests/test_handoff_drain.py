"""How a replica drains: a real socket file, a guarded site, routers that are played by hand."""

import errno
import os
from pathlib import Path

import pytest
from handoff_support import CLIENT, LISTENER, Recorders
from replica_support import BIG, DRAIN_TIME, Stage, get
from svckit.handoff.codec import Connection, Draining, Farewell, Hello
from svckit.handoff.linkend import TAKE_TIMEOUT
from svckit.handoff.replica import HAND_BACK_TIMEOUT, REST, HandoffReplica
from svckit.live import GOODBYE_TIME
from svckit.refusals import MISDIRECTED
from svckit.settings import Settings


def test_a_replica_without_work_is_drained_at_once(stage: Stage) -> None:
    stage.stop()
    assert stage.drained == [None]
    assert os.listdir(stage.folder) == []


def test_drain_in_its_order(stage: Stage) -> None:
    router = stage.router()
    idle = stage.hand(router, get("/a/1"))
    busy = stage.hand(router, get("/a/slow"))
    stage.expect(idle, b"</a/1>")
    router.hear()

    stage.stop()
    assert os.listdir(stage.folder) == []
    heard = router.hear()
    assert heard[0] == Draining()
    assert heard[1:] == [Connection(1, CLIENT, LISTENER, b"")]
    assert stage.drained == []

    router.take(1)
    late_client, late = stage.connection()
    router.hand(late, get("/a/late"))
    late.close()
    router.say(Farewell())
    stage.reactor.settle()
    stage.expect(late_client, b"</a/late>")
    router.take(2)
    stage.reactor.settle()
    assert stage.drained == []

    stage.pages.slow[0].write(b"done")
    stage.pages.slow[0].finish()
    stage.reactor.settle()
    assert b"done" in busy.recv(1000)
    assert [each.number for each in router.hear() if isinstance(each, Connection)] == [2, 3]
    assert stage.drained == []
    router.take(3)
    stage.reactor.settle()
    assert stage.drained == [None]
    assert router.sock.recv(100) == b""
    for sock in (idle, late_client, busy):
        router.returned.pop(0).send(b"goes on")
        assert sock.recv(100) == b"goes on"


def test_farewell_is_awaited_from_every_router(stage: Stage) -> None:
    routers = [stage.router() for _ in range(3)]
    stage.stop()
    routers[0].say(Farewell())
    stage.reactor.settle()
    routers[1].die()
    stage.reactor.settle()
    assert stage.drained == []
    routers[2].say(Farewell())
    stage.reactor.settle()
    assert stage.drained == [None]


def test_a_router_that_never_says_farewell_does_not_hold_the_drain_for_ever(stage: Stage) -> None:
    stage.router()
    stage.stop()
    stage.reactor.advance(TAKE_TIMEOUT - 0.01)
    assert stage.drained == []
    stage.reactor.advance(0.01)
    assert stage.drained == [None]


def test_what_a_router_that_hangs_does_not_take_goes_to_another_one(stage: Stage) -> None:
    first, second = stage.router(), stage.router()
    stage.hand(first, get("/a/1") + get("/b/x"))
    stage.hear(first, Connection)
    stage.reactor.advance(TAKE_TIMEOUT)
    assert stage.hear(second, Connection)[0] == Connection(1, CLIENT, LISTENER, get("/b/x"))
    assert first.cell.is_withdrawn
    with pytest.raises(BrokenPipeError):
        first.take(1)


def test_in_a_drain_idle_connections_of_a_router_that_hangs_go_to_another_one(stage: Stage) -> None:
    first, second = stage.router(), stage.router()
    client = stage.hand(first, get("/a/1"))
    stage.expect(client, b"</a/1>")
    stage.stop()
    second.say(Farewell())
    stage.reactor.settle()
    stage.reactor.advance(TAKE_TIMEOUT)
    assert stage.hear(second, Connection)[0] == Connection(1, CLIENT, LISTENER, b"")
    assert stage.drained == []
    second.take(1)
    stage.reactor.settle()
    assert stage.drained == [None]
    second.returned[0].send(b"alive")
    assert client.recv(100) == b"alive"


def test_what_is_on_its_way_when_the_replica_must_go_gets_421_and_no_reset(stage: Stage) -> None:
    hanging, dying = stage.router(), stage.router()
    clients = [stage.hand(router, get("/a/slow") + get("/b/x")) for router in (hanging, dying)]
    stage.stop()
    for router in (hanging, dying):
        router.say(Farewell())
    stage.reactor.settle()
    stage.reactor.advance(DRAIN_TIME - 0.01)
    dying.die()
    for request in stage.pages.slow:
        request.finish()
    stage.reactor.until(lambda: not stage.replica._live)
    stage.reactor.advance(TAKE_TIMEOUT)
    assert len(stage.replica._returning) == 2
    stage.reactor.advance(GOODBYE_TIME + 0.01)
    assert stage.drained == [None]
    for client in clients:
        stage.expect(client, MISDIRECTED)


def test_what_was_sent_to_a_router_at_the_last_moment_gets_421(stage: Stage) -> None:
    router = stage.router()
    client = stage.hand(router, get("/a/1") + get("/b/x"))
    stage.hear(router, Connection)
    stage.replica._close_links()
    stage.expect(client, MISDIRECTED)
    assert router.cell.is_withdrawn


def test_without_descriptors_for_a_link_it_rests_and_tries_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Exhausted:
        def accept(self) -> None:
            raise OSError(errno.EMFILE, "too many")

    listener = stage.replica._listener
    monkeypatch.setattr(stage.replica, "_listener", Exhausted())
    stage.replica.doRead()
    assert stage.replica not in stage.reactor.readers
    monkeypatch.setattr(stage.replica, "_listener", listener)
    stage.reactor.advance(REST)
    assert [type(each) for each in stage.router(welcome=False).hear()] == [Hello]


def test_a_router_that_was_not_yet_welcomed_hears_of_the_drain(stage: Stage) -> None:
    router = stage.router(welcome=False)
    stage.stop()
    assert [type(each) for each in router.hear()] == [Hello, Draining]
    assert stage.drained == []
    router.die()
    stage.reactor.settle()
    assert stage.drained == [None]


def test_a_busy_connection_has_the_drain_time_and_is_then_cut(stage: Stage) -> None:
    router = stage.router()
    client = stage.hand(router, get("/a/slow"))
    stage.stop()
    router.say(Farewell())
    stage.reactor.advance(DRAIN_TIME - 0.1)
    stage.reactor.settle()
    assert stage.drained == []
    stage.reactor.advance(0.1)
    stage.reactor.settle()
    assert stage.drained == [None]
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_what_says_no_goodbye_is_aborted(stage: Stage) -> None:
    """A protocol that cannot drain is closed after the drain time, and where its client reads nothing aborted after that."""
    stage.stop()
    stage.drained.clear()
    stage.start(Recorders())
    router = stage.router()
    client = stage.hand(router, b"hello")
    [transport] = stage.replica._live._open
    transport.write(BIG)
    stage.stop()
    router.say(Farewell())
    stage.reactor.advance(DRAIN_TIME)
    for _ in range(20):
        stage.reactor.turn()
    assert stage.drained == []
    stage.reactor.advance(GOODBYE_TIME)
    stage.reactor.settle()
    assert stage.drained == [None]
    with pytest.raises(ConnectionResetError):
        while client.recv(1 << 20):
            pass


def test_draining_without_a_router_an_idle_connection_is_closed_in_the_end(stage: Stage) -> None:
    router = stage.router()
    client = stage.hand(router, get("/a/1"))
    stage.expect(client, b"</a/1>")
    router.die()
    stage.reactor.settle()
    stage.stop()
    assert stage.drained == []
    stage.reactor.advance(HAND_BACK_TIMEOUT)
    assert client.recv(100) == b""
    assert stage.drained == [None]


def test_a_connection_in_the_queue_of_a_router_that_died_is_served_while_draining(stage: Stage) -> None:
    router = stage.router()
    client, accepted = stage.connection()
    router.hand(accepted, get("/a/1"))
    accepted.close()
    router.die()
    stage.stop()
    stage.expect(client, b"</a/1>")
    stage.reactor.advance(HAND_BACK_TIMEOUT)
    assert stage.drained == [None]


def test_stopping_twice_and_stopping_what_never_started(stage: Stage, folder: Path) -> None:
    settings = Settings(service="static", replica="never", state=folder)
    done: list[object] = []
    HandoffReplica(settings, Recorders(), folder, stage.reactor).stopService().addCallback(done.append)  # type: ignore[arg-type]
    assert done == [None]
    router = stage.router()
    stage.stop()
    stage.replica.stopService().addCallback(done.append)
    assert stage.drained == []
    assert [each for each in router.hear() if isinstance(each, Draining)] == [Draining()]
    router.say(Farewell())
    stage.reactor.settle()
    assert stage.drained == [None]


def test_the_end_of_the_reactor_takes_the_file_along(folder: Path) -> None:
    stage = Stage(folder)
    stage.reactor.removeReader(stage.replica)
    stage.replica.connectionLost(None)
    assert os.listdir(folder) == []
    assert stage.replica.fileno() == -1
