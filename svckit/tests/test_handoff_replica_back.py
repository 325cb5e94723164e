"""What a replica hands back, and to whom; routers are played by hand."""

import socket

import pytest
from handoff_support import CLIENT, LISTENER, Recorder, Recorders
from replica_support import BIG, PATTERNS, Stage, get
from svckit.handoff.codec import CONNECTION_OVERHEAD, MESSAGE_LIMIT, Connection, Load
from svckit.handoff.replica import HAND_BACK_TIMEOUT, LOAD_DELAY
from svckit.lease import ILeased, Lease
from svckit.refusals import MISDIRECTED
from zope.interface import implementer


def test_a_foreign_request_goes_back_with_its_bytes(stage: Stage) -> None:
    router = stage.router()
    client = stage.hand(router, get("/a/1") + get("/b/x") + get("/a/2"))
    [back] = stage.hear(router, Connection)
    assert back == Connection(1, CLIENT, LISTENER, get("/b/x") + get("/a/2"))
    stage.expect(client, b"</a/1>")
    assert stage.pages.seen == [b"/a/1"]
    router.take(1)
    stage.reactor.settle()
    router.returned[0].send(b"from elsewhere")
    assert client.recv(100) == b"from elsewhere"
    assert stage.replica.load() == 0
    stage.reactor.advance(LOAD_DELAY)
    assert router.hear() == [Load(0)]


def test_bytes_that_the_replica_has_not_read_stay_in_the_socket(stage: Stage) -> None:
    router = stage.router()
    client = stage.hand(router, get("/a/1") + get("/b/x"))
    client.send(b"the body that follows")
    stage.hear(router, Connection)
    assert router.returned[0].recv(100) == b"the body that follows"


def test_it_goes_back_only_when_the_answers_before_it_are_out(stage: Stage) -> None:
    router = stage.router()
    client = stage.hand(router, get("/a/big") + get("/b/x"))
    for _ in range(20):
        stage.reactor.turn()
    assert not router.returned
    assert not [each for each in router.hear() if isinstance(each, Connection)]
    stage.expect(client, BIG)
    [back] = stage.hear(router, Connection)
    assert back.unread == get("/b/x")
    router.returned[0].send(b"next")
    assert client.recv(100) == b"next"


def test_it_goes_back_only_when_a_slow_answer_is_out(stage: Stage) -> None:
    router = stage.router()
    client = stage.hand(router, get("/a/slow") + get("/b/x"))
    stage.reactor.settle()
    assert not router.hear()
    stage.pages.slow[0].write(b"at last")
    stage.pages.slow[0].finish()
    assert stage.hear(router, Connection)[0].unread == get("/b/x")
    assert b"at last" in client.recv(1000)


def test_a_client_that_reads_nothing_does_not_hold_its_hand_back_for_ever(stage: Stage) -> None:
    router = stage.router()
    stage.hand(router, get("/a/big") + get("/b/x"))
    for _ in range(20):
        stage.reactor.turn()
    stage.reactor.advance(60)  # twisted.web's idle timeout, and its time to end in good order
    stage.reactor.settle()
    stage.reactor.advance(15)
    stage.reactor.settle()
    assert stage.replica.load() == 0
    assert not [each for each in router.hear() if isinstance(each, Connection)]


def parked(stage: Stage) -> socket.socket:
    """A client whose second request belongs elsewhere, and comes when the only router is dead."""
    router = stage.router()
    client = stage.hand(router, get("/a/1"))
    stage.expect(client, b"</a/1>")
    router.die()
    stage.reactor.settle()
    client.send(get("/b/x"))
    stage.reactor.until(lambda: stage.replica._returning)
    return client


def test_without_a_router_it_waits_for_the_next_one(stage: Stage) -> None:
    client = parked(stage)
    stage.reactor.advance(HAND_BACK_TIMEOUT - 0.1)
    second = stage.router(welcome=False)
    assert not [each for each in second.hear() if isinstance(each, Connection)]
    second.welcome(*PATTERNS)
    assert stage.hear(second, Connection)[0] == Connection(1, CLIENT, LISTENER, get("/b/x"))
    second.take(1)
    stage.reactor.settle()
    stage.reactor.advance(HAND_BACK_TIMEOUT)  # it no longer counts
    second.returned[0].send(b"answered")
    assert client.recv(100) == b"answered"


def test_without_a_router_for_too_long_the_client_gets_421(stage: Stage) -> None:
    client = parked(stage)
    client.send(b"bytes that nobody will read")
    stage.reactor.advance(HAND_BACK_TIMEOUT)
    assert client.recv(1000) == MISDIRECTED
    assert client.recv(1000) == b""


def test_what_a_dead_router_had_not_taken_goes_to_another_one(stage: Stage) -> None:
    first, second = stage.router(), stage.router()
    stage.hand(first, get("/a/1") + get("/b/x"))
    assert stage.hear(first, Connection)[0].unread == get("/b/x")
    assert not [each for each in second.hear() if isinstance(each, Connection)]
    first.die()
    assert stage.hear(second, Connection)[0] == Connection(1, CLIENT, LISTENER, get("/b/x"))


@implementer(ILeased)
class Returning(Recorder):
    """Gives its connection back with a lot of bytes."""

    lease: Lease
    size = 0

    def connectionMade(self) -> None:
        self.lease.hand_back(b"x" * self.size)


@pytest.mark.parametrize(("over", "sizes"), [(0, [MESSAGE_LIMIT - CONNECTION_OVERHEAD]), (1, [])])
def test_more_unread_bytes_than_a_message_holds_are_421(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, over: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(Returning, "size", MESSAGE_LIMIT - CONNECTION_OVERHEAD + over)
    stage.stop()
    stage.drained.clear()
    factory = Recorders()
    factory.buildProtocol = lambda addr: Returning()  # type: ignore[method-assign]
    stage.start(factory)
    router = stage.router()
    client = stage.hand(router, b"")
    stage.reactor.settle()
    assert [len(each.unread) for each in router.hear() if isinstance(each, Connection)] == sizes
    if not sizes:
        assert client.recv(1000) == MISDIRECTED
        assert client.recv(1000) == b""
