"""A replica with a real socket file, serving a guarded site; routers are played by hand."""

import os
import resource
import socket
from pathlib import Path

import pytest
from handoff_support import CLIENT, LISTENER, PlayedRouter, Recorders
from replica_support import Stage, get
from svckit.handoff import packets
from svckit.handoff.codec import Connection, Hello, Load, Message, Taken
from svckit.handoff.replica import LOAD_DELAY, RESERVED_DESCRIPTORS
from svckit.handoff.socketfile import bind
from twisted.web.server import Request

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


def handed(stage: Stage, router: PlayedRouter, number: int) -> list[socket.socket]:
    """The clients of as many connections, each of which asks for a path of its own."""
    clients = []
    for n in range(number):
        client, accepted = stage.connection()
        router.hand(accepted, get(f"/a/{n}"))
        accepted.close()
        clients.append(client)
    return clients


def test_many_connections_in_one_batch(stage: Stage) -> None:
    router = stage.router()
    clients = handed(stage, router, 40)
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
    clients = handed(stage, router, 3)
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
