"""A replica with a real socket file, serving a guarded site; routers are played by hand."""

import errno
import os
import resource
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from handoff_support import CLIENT, LISTENER, FakeReactor, PlayedRouter, Recorder, Recorders, no_descriptor_leaks, tcp_pair
from svckit.handoff import packets
from svckit.handoff.codec import CONNECTION_OVERHEAD, MESSAGE_LIMIT, Connection, Draining, Farewell, Hello, Load, Message, Taken
from svckit.handoff.link import TAKE_TIMEOUT
from svckit.handoff.replica import (
    HAND_BACK_TIMEOUT,
    LOAD_DELAY,
    RESERVED_DESCRIPTORS,
    REST,
    HandoffReplica,
)
from svckit.handoff.socketfile import bind, connect
from svckit.lease import ILeased, Lease
from svckit.live import GOODBYE_TIME
from svckit.settings import Settings
from svckit.web import MISDIRECTED, GuardedSite
from twisted.internet.protocol import Factory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

DRAIN_TIME = 20.0
PATTERNS = (("/a/", True), ("/b/", False))
BIG = b"0123456789abcdef" * 300_000


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


class Pages(Resource):
    """`/a/slow` waits for the test, `/a/big` is more than the kernel takes at once."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.slow: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        self.seen.append(request.path)
        if request.path == b"/a/slow":
            self.slow.append(request)
            return NOT_DONE_YET
        return BIG if request.path == b"/a/big" else b"<%s>" % request.path


class Stage:
    """The replica, its routers and its clients."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.reactor, self.pages = folder, FakeReactor(), Pages()
        self.routers: list[PlayedRouter] = []
        self.sockets: list[socket.socket] = []
        self.drained: list[object] = []
        self.start(GuardedSite(self.pages, self.reactor))

    def start(self, factory: Factory) -> None:
        settings = Settings(service="static", replica="a-1", state=self.folder / "state", drain_time=DRAIN_TIME)
        self.replica = HandoffReplica(settings, factory, self.folder, self.reactor)  # type: ignore[arg-type]
        self.replica.startService()

    def router(self, welcome: bool = True) -> PlayedRouter:
        """A new router, linked."""
        made = PlayedRouter(connect(self.replica.path))
        self.routers.append(made)
        self.reactor.settle()
        if welcome:
            made.hear()
            made.welcome(*PATTERNS)
            self.reactor.settle()
        return made

    def connection(self) -> tuple[socket.socket, socket.socket]:
        """The client's end, and the router's copy of the accepted one."""
        pair = tcp_pair()
        self.sockets += pair
        return pair

    def hand(self, router: PlayedRouter, unread: bytes) -> socket.socket:
        """As a router does it all: hand over, hear TAKEN, close its own copy. Returns the client's end."""
        client, accepted = self.connection()
        number = router.hand(accepted, unread)
        self.reactor.settle()
        heard = router.hear()
        assert number in [each.number for each in heard if isinstance(each, Taken)]
        router.unheard = [each for each in heard if not isinstance(each, Taken)]
        accepted.close()
        return client

    def ask(self, client: socket.socket, request: bytes, answer: bytes) -> None:
        client.send(request)
        self.expect(client, answer)

    def expect(self, client: socket.socket, answer: bytes) -> None:
        """The client reads until `answer` ends what it got."""
        client.setblocking(False)
        received = b""

        def arrived() -> bool:
            nonlocal received
            try:
                received += client.recv(1 << 20)
            except BlockingIOError:
                return False
            return received.endswith(answer)

        self.reactor.until(arrived)
        client.settimeout(10)

    def hear(self, router: PlayedRouter, kind: type) -> list[Any]:
        """Turn until a message of that kind was said; those of it."""
        heard: list[Any] = []

        def arrived() -> bool:
            nonlocal heard
            heard += [each for each in router.hear() if isinstance(each, kind)]
            return bool(heard)

        self.reactor.until(arrived)
        return heard

    def stop(self) -> None:
        self.replica.stopService().addCallback(self.drained.append)
        self.reactor.settle()

    def clear(self) -> None:
        if self.replica.running:
            self.stop()
        for router in self.routers:
            router.die()
        for sock in self.sockets:
            sock.close()
        for _ in range(3):
            self.reactor.settle()
            self.reactor.advance(DRAIN_TIME)
        self.reactor.settle()
        assert self.drained == [None]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: a Unix socket's path has at most 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="hr") as made:
        yield Path(made)


@pytest.fixture
def stage(folder: Path) -> Iterator[Stage]:
    """At its end the replica drains, and not one descriptor more is open than before."""
    with no_descriptor_leaks():
        made = Stage(folder)
        yield made
        made.clear()
    assert not made.reactor.failures
    assert not made.reactor.readers
    assert not made.reactor.writers


# -- being there


def test_the_file_is_there_and_hello_is_the_first_word(stage: Stage) -> None:
    assert os.listdir(stage.folder) == ["a-1.sock"]
    capacity = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_DESCRIPTORS
    assert stage.router(welcome=False).hear() == [Hello(1, capacity, "static", "a-1")]


def test_starting_sweeps_what_dead_replicas_left(folder: Path) -> None:
    for name in ("dead.sock", "a-1.sock"):
        bind(folder / name).close()
    living = bind(folder / "b-1.sock")
    stage = Stage(folder)
    assert sorted(os.listdir(folder)) == ["a-1.sock", "b-1.sock"]
    stage.clear()
    assert os.listdir(folder) == ["b-1.sock"]
    living.close()


def test_a_second_one_of_the_same_name_does_not_start(stage: Stage) -> None:
    with pytest.raises(OSError, match=r"a-1\.sock"):
        Stage(stage.folder)
    stage.router()
    assert len(stage.replica._links) == 1


def test_a_look_at_it_leaves_nothing_behind(stage: Stage) -> None:
    """As the health check does."""
    for _ in range(3):
        router = stage.router(welcome=False)
        assert isinstance(router.hear()[0], Hello)
        router.die()
        stage.reactor.settle()
    assert not stage.replica._links


def test_its_factory_is_started_and_stopped(folder: Path) -> None:
    factory = Recorders()
    factory.startFactory = lambda: told.append("start")  # type: ignore[method-assign]
    factory.stopFactory = lambda: told.append("stop")  # type: ignore[method-assign]
    told: list[str] = []
    stage = Stage(folder)
    stage.stop()
    stage.start(factory)
    assert told == ["start"]
    stage.stop()
    assert told == ["start", "stop"]


# -- serving


def test_a_connection_is_served_and_the_client_is_the_true_one(stage: Stage) -> None:
    router = stage.router()
    client = stage.hand(router, get("/a/1"))
    stage.expect(client, b"</a/1>")
    stage.ask(client, get("/a/2"), b"</a/2>")
    [transport] = stage.replica._live._open
    assert (transport.getPeer().host, transport.getPeer().port) == CLIENT


def test_taken_is_said_before_the_resource_is_asked(stage: Stage) -> None:
    router = stage.router()
    heard_first: list[Message] = []
    render = stage.pages.render

    def look(request: Request) -> bytes | int:
        heard_first.extend(router.hear())
        return render(request)

    stage.pages.render = look  # type: ignore[method-assign]
    _, accepted = stage.connection()
    router.hand(accepted, get("/a/1"))
    stage.reactor.settle()
    assert heard_first == [Taken(1, 1)]


def test_many_connections_in_one_batch(stage: Stage) -> None:
    router = stage.router()
    clients = []
    for n in range(40):
        client, accepted = stage.connection()
        router.hand(accepted, get(f"/a/{n}"))
        accepted.close()
        clients.append(client)
    stage.reactor.settle()
    assert [each.number for each in router.hear() if isinstance(each, Taken)] == [32, 40]
    for n, client in enumerate(clients):
        stage.expect(client, b"</a/%d>" % n)


def test_the_load_is_told_when_connections_end_and_not_for_each(stage: Stage) -> None:
    router = stage.router()
    clients = [stage.hand(router, get("/a/1")) for _ in range(3)]
    for client in clients[:2]:
        client.close()
    stage.reactor.until(lambda: stage.replica.load() == 1)
    assert not [each for each in router.hear() if isinstance(each, Load)]
    stage.reactor.advance(LOAD_DELAY)
    assert router.hear() == [Load(1)]


def test_two_routers_know_the_load_that_both_have_made(stage: Stage) -> None:
    """Each balances by it; the capacity is that of all together."""
    one, two = stage.router(), stage.router()
    clients = [stage.hand(one, get("/a/1")) for _ in range(3)]
    assert not [each for each in two.hear() if isinstance(each, Load)]  # not for each
    stage.reactor.advance(LOAD_DELAY)
    assert two.hear() == [Load(3)]
    client, accepted = stage.connection()
    two.hand(accepted, get("/a/2"))
    accepted.close()
    stage.reactor.settle()
    assert two.hear() == [Taken(1, 4)]
    stage.reactor.advance(LOAD_DELAY)
    assert one.hear()[-1] == Load(4)
    stage.expect(client, b"</a/2>")
    two.die()
    stage.reactor.settle()
    clients[0].close()
    stage.reactor.until(lambda: stage.replica.load() == 3)
    stage.reactor.advance(LOAD_DELAY)
    assert one.hear() == [Load(3)]  # what the dead one had handed over counts on


def test_the_router_dies_and_what_is_open_goes_on(stage: Stage) -> None:
    router = stage.router()
    client = stage.hand(router, get("/a/1"))
    stage.expect(client, b"</a/1>")
    router.die()
    stage.reactor.settle()
    stage.ask(client, get("/a/2"), b"</a/2>")


def test_the_router_dies_with_connections_in_the_queue_and_they_are_served(stage: Stage) -> None:
    router = stage.router()
    clients = []
    for n in range(3):
        client, accepted = stage.connection()
        router.hand(accepted, get(f"/a/{n}"))
        accepted.close()
        clients.append(client)
    router.die()
    stage.reactor.settle()
    for n, client in enumerate(clients):
        stage.expect(client, b"</a/%d>" % n)


def test_the_router_takes_connections_back_while_we_sleep(stage: Stage) -> None:
    router = stage.router()
    client, accepted = stage.connection()
    router.hand(accepted, get("/a/1"))
    router.revoke()
    stage.reactor.settle()
    router.die()
    stage.reactor.settle()
    assert stage.pages.seen == []
    assert stage.replica.load() == 0
    accepted.send(b"answered by another replica")
    assert client.recv(100) == b"answered by another replica"


@pytest.mark.parametrize("unread", [b"", b"GET /a/1"])
def test_a_descriptor_that_is_no_socket_is_let_go(stage: Stage, unread: bytes) -> None:
    router = stage.router()
    read, write = os.pipe()
    router.number += 1
    router.say(Connection(router.number, CLIENT, LISTENER, unread), read)
    os.close(read)
    os.close(write)
    client = stage.hand(router, get("/a/2"))
    stage.expect(client, b"</a/2>")


def test_a_connection_whose_client_has_gone_spares_the_others(stage: Stage) -> None:
    router = stage.router()
    gone, accepted = stage.connection()
    gone.close()
    router.hand(accepted, get("/a/1"))
    accepted.close()
    stage.expect(stage.hand(router, get("/a/2")), b"</a/2>")
    stage.reactor.until(lambda: stage.replica.load() == 1)


def test_a_router_that_speaks_nonsense_loses_its_link_and_the_next_one_is_welcome(stage: Stage) -> None:
    first = stage.router()
    client = stage.hand(first, get("/a/1"))
    packets.send(first.sock, b"\xffnonsense")
    stage.reactor.settle()
    assert first.sock.recv(100) == b""
    assert not stage.replica._links
    stage.expect(client, b"</a/1>")
    stage.expect(stage.hand(stage.router(), get("/a/2")), b"</a/2>")


# -- handing back


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
    stage.expect(client, BIG[-16:] * 2)
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


def test_without_a_router_it_waits_for_the_next_one(stage: Stage) -> None:
    first = stage.router()
    client = stage.hand(first, get("/a/1"))
    stage.expect(client, b"</a/1>")
    first.die()
    stage.reactor.settle()
    client.send(get("/b/x"))
    stage.reactor.until(lambda: stage.replica._parked)
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
    router = stage.router()
    client = stage.hand(router, get("/a/1"))
    stage.expect(client, b"</a/1>")
    router.die()
    stage.reactor.settle()
    client.send(get("/b/x"))
    stage.reactor.until(lambda: stage.replica._parked)
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
    factory.buildProtocol = lambda addr: Returning()  # type: ignore[method-assign,assignment]
    stage.start(factory)
    router = stage.router()
    client = stage.hand(router, b"")
    stage.reactor.settle()
    assert [len(each.unread) for each in router.hear() if isinstance(each, Connection)] == sizes
    if not sizes:
        assert client.recv(1000) == MISDIRECTED
        assert client.recv(1000) == b""


# -- drain


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
    assert len(stage.replica._parked) == 2
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
