"""The two letters that end a line of the access log: each documented pair is reached on a real path."""

import contextlib
import errno
import re
import socket
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from portico.application import Application
from portico.config import parse
from portico.core.termination import NORMAL, PHASES, WHO
from portico.targets import connect
from portico.targets.split import LAST_REQUESTS, SWEEP_INTERVAL

from .support.reactor import HandReactor
from .support.wires import Inbox, as_reactor, reset

DOCUMENT = Path(__file__).parents[2] / "docs" / "access-log.md"
CONFIG = """
listeners = [{address = "127.0.0.1:0"}]
routes = [
    {prefix = "/split/", service = "split"}, {prefix = "/pin/", service = "pin"}, {prefix = "/none/", service = "none"},
    {prefix = "/tls/", redirect = "https"}, {prefix = "/one/", service = "one"},
]
services.split = {target = "tcp", address = "SERVER", connect_timeout = 3.0, answer_timeout = 20, exchange_idle = 30}
services.pin = {target = "tcp", address = "SERVER", keepalive = "pin", tunnel_idle = 60}
services.one = {target = "tcp", address = "SERVER", capacity = 1}
services.none = {target = "handoff", folder = "/nonexistent"}
limits = {queue_size = 1, drain_time = 1.0}
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Scene:
    """A router and the one server that it knows."""

    def __init__(self, reactor: HandReactor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reactor, self.monkeypatch = reactor, monkeypatch
        self.out = StringIO()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self._listener.setblocking(False)
        self._sockets = [self._listener]
        at = "{}:{}".format(*self._listener.getsockname())
        self.application = Application(parse(CONFIG.replace("SERVER", at)), as_reactor(reactor))
        self.application.access._stream = self.out
        self.application.privilegedStartService()
        self.application.startService()
        self._drained: list[object] = []

    def client(self, wire: bytes) -> Inbox:
        """A client that has sent `wire`."""
        sock = socket.create_connection(self.application.addresses[0], timeout=5)
        self._sockets.append(sock)
        sock.sendall(wire)
        self.reactor.settle()
        return Inbox(sock)

    def ask(self, path: str = "/split/") -> Inbox:
        return self.client(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())

    def server(self) -> Inbox:
        """The server's end of the next connection to it."""
        came: list[socket.socket] = []

        def accepted() -> bool:
            try:
                came.append(self._listener.accept()[0])
            except BlockingIOError:
                return False
            return True

        self.reactor.until(accepted)
        self._sockets += came
        return Inbox(came[0])

    def asked(self, path: str = "/split/") -> tuple[Inbox, Inbox]:
        """A client whose request has reached the server."""
        client = self.ask(path)
        server = self.server()
        self.reactor.until(server.holds(b"\r\n\r\n"))
        return client, server

    def begun(self, path: str = "/split/") -> tuple[Inbox, Inbox]:
        """A client that has the beginning of its answer."""
        client, server = self.asked(path)
        server.sock.send(ANSWER.replace(b"2", b"9"))
        self.reactor.until(client.holds(b"ok"))
        return client, server

    def answered(self) -> Inbox:
        """A client that has its answer."""
        client, server = self.asked()
        server.sock.send(ANSWER)
        self.reactor.until(client.holds(b"ok"))
        self.reactor.settle()
        return client

    def flushing(self) -> Inbox:
        """A client that does not read the end of an answer which the server has finished."""
        client, server = self.asked()
        (session,) = self.application._services["split"].target._split._sessions  # type: ignore[attr-defined]
        session.arrival.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_608)
        server.sock.setblocking(False)
        rest = memoryview(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000)

        def finished() -> bool:
            nonlocal rest
            with contextlib.suppress(BlockingIOError):
                if rest:
                    rest = rest[server.sock.send(rest) :]
                else:
                    client.sock.recv(4_096)
            return session._backend is None

        self.reactor.until(finished)
        assert session.down.held
        return client

    def fill(self) -> None:
        """The server's queue is full: it neither accepts nor refuses."""
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            self._sockets.append(filler)

    def refuse(self) -> None:
        """The server is gone."""
        self._listener.close()

    def drain(self, *times: float) -> None:
        """The router ends; then the time goes on."""
        self.application.stopService().addCallback(self._drained.append)
        self.reactor.pump(times)
        self.reactor.settle()

    @property
    def ended(self) -> list[object]:
        self.reactor.settle()
        self.application.access.flush()
        lines = (msgspec.json.decode(line, type=dict[str, object]) for line in self.out.getvalue().splitlines())
        return [line["ended"] for line in lines]

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        if not self._drained:
            self.drain()
        for _ in range(20):
            self.reactor.settle()
            self.reactor.advance(1.0)
        assert self._drained


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
