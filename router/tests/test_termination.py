"""The two letters that end a line of the access log: each documented pair is reached on a real path."""

import errno
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from portico.core.termination import NORMAL, PHASES, WHO
from portico.targets import connect
from portico.targets.split import LAST_REQUESTS, SWEEP_INTERVAL

from .support.reactor import HandReactor
from .support.scene import Scene
from .support.wires import reset

DOCUMENT = Path(__file__).parents[2] / "docs" / "access-log.md"


@pytest.fixture
def scene(reactor: HandReactor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    scene = Scene(reactor, monkeypatch)
    yield scene
    scene.close()


WAYS: dict[str, Callable[[Scene], object]] = {}


def way(code: str) -> Callable[[Callable[[Scene], object]], Callable[[Scene], object]]:
    def named(call: Callable[[Scene], object]) -> Callable[[Scene], object]:
        assert code not in WAYS
        WAYS[code] = call
        return call

    return named


@way("--")
def ends_in_good_order(scene: Scene) -> None:
    scene.answered().sock.close()


@way("CR")
def client_leaves_before_its_request_is_whole(scene: Scene) -> None:
    scene.client(b"GET / HT").sock.close()


@way("CQ")
def client_leaves_the_queue(scene: Scene) -> None:
    scene.asked("/one/")
    reset(scene.ask("/one/").sock)
    scene.reactor.advance(SWEEP_INTERVAL)


@way("CC")
def client_resets_while_the_server_is_connected_to(scene: Scene) -> None:
    scene.fill()
    reset(scene.ask().sock)


@way("CH")
def client_resets_before_the_answer(scene: Scene) -> None:
    reset(scene.asked()[0].sock)


@way("CD")
def client_resets_within_the_answer(scene: Scene) -> None:
    reset(scene.begun()[0].sock)


@way("CL")
def client_resets_at_the_end_of_the_answer(scene: Scene) -> None:
    reset(scene.flushing().sock)


@way("cR")
def client_sends_half_a_head(scene: Scene) -> None:
    scene.client(b"GET / HT")
    scene.reactor.advance(10.1)


@way("cD")
def nothing_moves(scene: Scene) -> None:
    scene.begun("/pin/")
    scene.reactor.pump([1.0] * 100)


@way("sD")
def server_never_ends_its_side(scene: Scene) -> None:
    client, server = scene.begun("/pin/")
    client.sock.shutdown(socket.SHUT_WR)
    scene.reactor.until(server.has_ended)
    scene.reactor.pump([5.0] * 80)


@way("cH")
def client_sends_half_a_body(scene: Scene) -> None:
    scene.client(b"POST /split/ HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
    scene.server()
    scene.reactor.pump([SWEEP_INTERVAL] * 33)


@way("cL")
def client_takes_nothing(scene: Scene) -> None:
    scene.flushing()
    scene.reactor.pump([SWEEP_INTERVAL] * 33)


@way("sH")
def server_is_silent(scene: Scene) -> None:
    scene.asked()
    scene.reactor.pump([SWEEP_INTERVAL] * 23)


@way("SC")
def server_refuses(scene: Scene) -> None:
    scene.refuse()
    scene.ask()


@way("SH")
def server_ends_without_an_answer(scene: Scene) -> None:
    scene.asked()[1].sock.close()
    scene.server().sock.close()  # it is asked once more


@way("SD")
def server_ends_within_its_answer(scene: Scene) -> None:
    scene.begun()[1].sock.close()


@way("sC")
def server_does_not_accept(scene: Scene) -> None:
    scene.fill()
    scene.ask()
    scene.reactor.advance(3.1)


@way("sQ")
def no_replica(scene: Scene) -> None:
    scene.ask("/none/")
    scene.reactor.advance(5.1)


@way("PR")
def no_route(scene: Scene) -> None:
    scene.ask("/elsewhere")


@way("PQ")
def full_queue(scene: Scene) -> None:
    scene.ask("/none/")
    scene.ask("/none/")


@way("PH")
def malformed_response(scene: Scene) -> None:
    scene.asked()[1].sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")


@way("PD")
def malformed_chunk(scene: Scene) -> None:
    client, server = scene.asked()
    server.sock.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
    scene.reactor.until(client.holds(b"ok"))
    server.sock.send(b"no size\r\n")


@way("LR")
def redirect(scene: Scene) -> None:
    scene.ask("/tls/")


@way("RC")
def no_descriptor(scene: Scene) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    scene.monkeypatch.setattr(connect, "RawSocket", refuse)
    scene.ask()


@way("KR")
def drained_between_two_requests(scene: Scene) -> None:
    scene.answered()
    scene.drain(LAST_REQUESTS)


@way("KQ")
def drained_in_the_queue(scene: Scene) -> None:
    scene.ask("/none/")
    scene.drain()


@way("KC")
def drained_while_the_server_is_connected_to(scene: Scene) -> None:
    scene.fill()
    scene.ask()
    scene.drain(1.1)


@way("KH")
def drained_before_the_answer(scene: Scene) -> None:
    scene.asked()
    scene.drain(1.1)


@way("KD")
def drained_within_a_tunnel(scene: Scene) -> None:
    scene.begun("/pin/")
    scene.drain(1.1)


@way("KL")
def drained_at_the_end_of_the_answer(scene: Scene) -> None:
    scene.flushing()
    scene.drain(1.1)


@pytest.mark.parametrize("code", WAYS)
def test_each_pair_is_reached(scene: Scene, code: str) -> None:
    WAYS[code](scene)
    assert scene.ended[:1] == [code]


def test_an_idle_connection_has_its_time(scene: Scene) -> None:
    scene.answered()
    scene.reactor.pump([SWEEP_INTERVAL] * 62)
    assert scene.ended == ["cR"]


def test_the_document_has_every_pair() -> None:
    documented = re.findall(r"^\| `([A-Zcs-]{2})` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == {"RR", *WAYS}  # RR: test_tls
    for who, phase in set(documented) - {NORMAL}:
        assert who in WHO
        assert phase in PHASES
