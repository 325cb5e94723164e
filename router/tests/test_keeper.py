"""The keeper lends each socket to all that ask, and keeps it for a while when nobody uses it."""

import errno
import os
import socket
from pathlib import Path

import pytest
from portico.keeper import at_of, listen, name_of

from .support.keepers import ANY, Asker, Make, Stage, connects

# -- names


@pytest.mark.parametrize(
    ("at", "name"), [(("127.0.0.1", 80), "127.0.0.1:80"), (("::", 65_535), "[::]:65535"), (("h", 0), "h:0")]
)
def test_names(at: tuple[str, int], name: str) -> None:
    assert name_of(at) == name
    assert at_of(name) == at


@pytest.mark.parametrize(
    "name", ["", ":80", "h:", "h:65536", "h:-1", "::1:80", "[::1]", "[::1]:", "h:8 0", "a b:80", "h:80 ", "h:²"]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        at_of(name)


# -- lending


def test_all_that_ask_get_the_same_socket(stage: Stage) -> None:
    one, two = Asker(stage), Asker(stage)
    first, second = one.borrow(), two.borrow()
    assert first.getsockname() == second.getsockname()
    client = socket.create_connection(first.getsockname())
    client.send(b"x")
    accepted, _ = second.accept()  # one queue: either may
    accepted.setblocking(True)
    assert accepted.recv(10) == b"x"
    with pytest.raises(BlockingIOError):
        first.accept()
    for sock in (client, accepted):
        sock.close()
    assert stage.lines == [f"listening on {ANY}"]


def test_the_socket_is_as_a_router_wants_it(stage: Stage) -> None:
    sock = Asker(stage).borrow()
    assert not os.get_blocking(sock.fileno())
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6_takes_ipv4_too() -> None:
    with listen(("::", 0)) as sock:
        assert connects(("127.0.0.1", sock.getsockname()[1]))


def test_a_port_that_cannot_be_had(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        name = name_of(taken.getsockname())
        asker = Asker(stage)
        answer, descriptors = asker.ask(f"listen {name}".encode())
        assert answer == f"error {errno.EADDRINUSE} cannot listen on {name}: Address already in use".encode()
        assert descriptors == []
        asker.borrow()  # and the connection goes on


def test_an_address_twice_in_one_router(stage: Stage) -> None:
    asker = Asker(stage)
    asker.borrow()
    answer, _ = asker.ask(f"listen {ANY}".encode())
    assert answer.startswith(b"error %d " % errno.EADDRINUSE)
    asker.say(f"leave {ANY}".encode())
    asker.borrow()


def test_a_port_that_is_kept_for_nobody_is_not_in_the_way(stage: Stage) -> None:
    asker = Asker(stage)
    port = asker.borrow().getsockname()[1]
    asker.say(f"leave {ANY}".encode())
    stage.sockets.pop().close()
    stage.keeper._held[f"127.0.0.1:{port}"] = stage.keeper._held.pop(ANY)  # as if it had been asked for by number
    asker.borrow(f"0.0.0.0:{port}")
    assert stage.keeper.names == [f"0.0.0.0:{port}"]


def test_the_seed_is_the_same_for_all(stage: Stage, make_stage: Make, folder: Path) -> None:
    word, _, seed = Asker(stage).ask(b"seed")[0].partition(b" ")
    assert word == b"seed"
    assert len(bytes.fromhex(seed.decode())) == 16
    assert Asker(stage).ask(b"seed")[0] == b"seed " + seed
    assert Asker(make_stage(str(folder / "other"))).ask(b"seed")[0] != b"seed " + seed


# -- keeping


@pytest.mark.parametrize("how", ["leave", "end"])
def test_a_socket_without_a_router_is_kept_for_a_while(make_stage: Make, how: str) -> None:
    stage = make_stage(keep=30.0)
    asker = Asker(stage)
    at = asker.borrow().getsockname()
    stage.sockets.pop().close()
    client = socket.create_connection(at)
    if how == "leave":
        asker.say(f"leave {ANY}".encode())
    else:
        asker.sock.close()
    stage.pass_time(29.9)
    client.send(b"still here")
    assert connects(at)  # waits in the queue, is not refused
    accepted, _ = Asker(stage).borrow().accept()
    accepted.setblocking(True)
    assert accepted.recv(100) == b"still here"  # nothing was reset
    accepted.close()
    client.close()


def test_a_socket_without_a_router_is_closed_in_the_end(make_stage: Make) -> None:
    stage = make_stage(keep=30.0)
    asker = Asker(stage)
    at = asker.borrow().getsockname()
    stage.sockets.pop().close()
    asker.sock.close()
    stage.keeper.turn()
    assert stage.keeper._until_something_is_due() == 30.0
    stage.pass_time(30.0)
    assert not connects(at)
    assert stage.keeper.names == []
    assert stage.keeper._until_something_is_due() is None
    assert stage.lines == [f"listening on {ANY}", f"no longer listening on {ANY}"]


def test_a_socket_that_one_router_still_uses_is_kept(make_stage: Make) -> None:
    stage = make_stage(keep=1.0)
    one, two = Asker(stage), Asker(stage)
    at = one.borrow().getsockname()
    two.borrow()
    one.sock.close()
    stage.keeper.turn()
    stage.pass_time(1_000)
    assert connects(at)


def test_the_keeper_s_end_leaves_the_sockets_to_the_routers(stage: Stage) -> None:
    asker = Asker(stage)
    at = asker.borrow().getsockname()
    stage.keeper.close()
    stage.keeper.close()
    assert asker.is_turned_away
    assert connects(at)
    assert not Path(stage.path).exists()
