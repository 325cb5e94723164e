"""The bridge behind /ws/tcp/NAME as a browser has it: through the router, from a service of its own, to TCP servers."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from .support.services import run_services
from .support.site import free_port

WAIT = 20.0
CONFIGURATION = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{prefix = "/ws/tcp/", service = "txws"}}]
services.txws = {{target = "handoff", folder = "{folder}/txws"}}
"""
LARGE = bytes(range(256)) * 16384


class Upper(socketserver.ThreadingTCPServer):
    """Greets first, as servers like VNC's do, and says all again in capitals, until it hears `bye`."""

    daemon_threads = True

    def __init__(self) -> None:
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", 0), Conversation)


class Conversation(socketserver.BaseRequestHandler):
    server: Upper

    def handle(self) -> None:
        self.request.sendall(b"RFB 003.008\n")
        while data := self.request.recv(65536):
            if data == b"bye":
                return
            self.request.sendall(data.upper())
        self.server.ended.set()


@pytest.fixture(scope="module")
def server() -> Iterator[Upper]:
    with Upper() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(scope="module")
def port(server: Upper, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port, folder = free_port(), tmp_path_factory.mktemp("b")
    configuration = CONFIGURATION.format(port=port, folder=folder)
    with socket.create_server(("127.0.0.1", 0)) as nobody, ExitStack() as stack:
        closed = nobody.getsockname()[1]
        nobody.close()
        tcp = f"upper=127.0.0.1:{server.server_address[1]} nobody=127.0.0.1:{closed}"
        run_services(folder, port, configuration, {"txws": {"PORTICO_OPTION_TCP": tcp}}, stack)
        yield port


def bridge(port: int, name: str = "upper", origin: str | None = None) -> ClientConnection:
    url = f"ws://127.0.0.1:{port}/ws/tcp/{name}"
    return connect(url, subprotocols=["binary"], origin=origin, open_timeout=WAIT, max_size=None)  # type: ignore[arg-type, list-item]


def heard(websocket: ClientConnection, size: int) -> bytes:
    """So many bytes, in however many messages."""
    found = b""
    while len(found) < size:
        message = websocket.recv(WAIT)
        assert isinstance(message, bytes)
        found += message
    return found


def say_all(websocket: ClientConnection) -> None:
    for at in range(0, len(LARGE), 60_000):
        websocket.send(LARGE[at : at + 60_000])


def test_bytes_go_to_and_fro(port: int, server: Upper) -> None:
    server.ended.clear()
    with bridge(port) as websocket:
        assert websocket.subprotocol == "binary"
        assert heard(websocket, 12) == b"RFB 003.008\n"
        sending = threading.Thread(target=say_all, args=(websocket,))
        sending.start()
        assert heard(websocket, len(LARGE)) == LARGE.upper()
        sending.join(WAIT)
    assert server.ended.wait(WAIT), "the server learns that the browser has gone"


def test_the_server_ends(port: int) -> None:
    with bridge(port) as websocket:
        assert heard(websocket, 12)
        websocket.send(b"bye")
        with pytest.raises(ConnectionClosed) as caught:
            websocket.recv(WAIT)
    assert caught.value.rcvd is not None and caught.value.rcvd.code == 1000


def test_a_server_that_is_not_there(port: int) -> None:
    with bridge(port, "nobody") as websocket, pytest.raises(ConnectionClosed) as caught:
        websocket.recv(WAIT)
    assert caught.value.rcvd is not None and caught.value.rcvd.code == 1014


@pytest.mark.parametrize(
    ("name", "origin", "status"),
    [("other", None, 404), ("127.0.0.1:22", None, 404), ("upper", "https://elsewhere.test", 403)],
)
def test_who_and_what_is_not_let_through(port: int, name: str, origin: str | None, status: int) -> None:
    with pytest.raises(InvalidStatus) as caught:
        bridge(port, name, origin)
    assert caught.value.response.status_code == status
