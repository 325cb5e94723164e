"""Both services in a process of their own, against the client of another project (websockets) and against bad clients."""

import json
import socket

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .support.dialled import CLOSE, LIMIT, opened
from .support.fixtures import Dial, Serve, Shared, Tools

pytestmark = pytest.mark.parametrize("name", ["autobahn", "txws"])


def to_the_end(sock: socket.socket) -> bytes:
    """All that comes until the connection ends, in good order or cut."""
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def test_messages_of_all_kinds(shared: Shared, name: str) -> None:
    with opened(shared(name)) as ws:
        for message in ("héllo", b"\xff\x00", "", b"", "x" * 126, "y" * 70000, b"z" * LIMIT):
            ws.send(message)
            assert ws.recv(10) == message
        ws.send(["frag", "men", "ted"])
        assert ws.recv(10) == "fragmented"
        assert ws.ping(b"are you there").wait(10)


def test_connections_that_were_accepted_elsewhere(serve: Serve, name: str, tools: Tools) -> None:
    served = serve(name, adopted="yes")
    with opened(served) as ws:
        ws.send("x" * 100_000)
        assert ws.recv(10) == "x" * 100_000
        served.expire()
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv(10)
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1001
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as sock:
        sock.sendall(tools.opening("/elsewhere"))
        assert to_the_end(sock).startswith(b"HTTP/1.1 404 ")


def test_many_messages_at_once_come_back_in_order(shared: Shared, name: str) -> None:
    with opened(shared(name)) as ws:
        for number in range(2000):
            ws.send(str(number))
        assert [ws.recv(10) for _ in range(2000)] == [str(number) for number in range(2000)]


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "leaving"), (4000, "mine")])
def test_the_client_closes(serve: Serve, name: str, code: int, reason: str) -> None:
    served = serve(name)
    with opened(served) as ws:
        ws.close(code, reason)
    assert ws.close_code == code
    served.end()
    (event,) = [json.loads(line) for line in served.log.read_text().splitlines() if '"access"' in line]
    assert (event["client"], event["path"], event["status"], event["code"], event["by"]) == (
        "127.0.0.1",
        served.path,
        101,
        code,
        "client",
    )


def test_too_large_a_message(shared: Shared, name: str) -> None:
    with opened(shared(name)) as ws:
        ws.send(b"x" * (LIMIT + 1))
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv(10)
    assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x81\x05Hello", 1002),
        (b"\x89\x7e\x01\x00", 1002),
        (b"\x82\xff" + b"\xff" * 12, 1002),
        (b"\x82\xff" + b"\x7f" + b"\xff" * 11, 1009),
        (b"\x09\x80\0\0\0\0", 1002),
        (b"\xc2\x80\0\0\0\0", 1002),
        (b"\x88\x81\0\0\0\0x", 1002),
        (b"\x80\x80\0\0\0\0", 1002),
        (b"GET / HTTP/1.1\r\n\r\n", 1002),
    ],
)
def test_violations(serve: Serve, name: str, raw: Dial, tools: Tools, frame: bytes, code: int) -> None:
    served = serve(name, close_timeout="0.2")
    sock = raw(served)
    sock.sendall(frame)
    ((opcode, payload),) = tools.server_frames(to_the_end(sock))
    assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, code)
    with opened(served) as ws:
        ws.send("alive")
        assert ws.recv(10) == "alive"


def test_expire(serve: Serve, name: str) -> None:
    served = serve(name)
    with opened(served) as one, opened(served) as two:
        one.send("x")
        assert one.recv(10) == "x"
        two.send("y")
        assert two.recv(10) == "y"
        served.expire()
        for ws in (one, two):
            with pytest.raises(ConnectionClosed) as caught:
                ws.recv(10)
            assert caught.value.rcvd is not None and caught.value.rcvd.code == 1001


def test_expire_does_not_wait_for_a_client_that_does_not_answer(serve: Serve, name: str, raw: Dial, tools: Tools) -> None:
    served = serve(name, close_timeout="0.2")
    sock = raw(served)
    served.expire()
    assert tools.server_frames(to_the_end(sock)) == [(CLOSE, b"\x03\xe9going away")]


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("", 426)])
def test_plain_requests(shared: Shared, name: str, path: str, status: int) -> None:
    import requests

    served = shared(name)
    answer = requests.get(f"http://127.0.0.1:{served.port}{served.path}{path}", timeout=10)
    assert answer.status_code == status
    assert answer.text.strip() and answer.headers["Content-Type"].startswith("text/plain")
    if status == 426:
        assert answer.headers["Upgrade"] == "websocket" and answer.headers["Sec-WebSocket-Version"] == "13"


def test_an_answer_arrives_although_the_client_still_sends(shared: Shared, name: str) -> None:
    served = shared(name)
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
        assert to_the_end_of_answer(sock).startswith(b"HTTP/1.1 431 ")


def to_the_end_of_answer(sock: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"bytes.\n"):
        piece = sock.recv(65536)
        assert piece, data
        data += piece
    return data


def test_a_head_that_never_ends_is_answered_in_time(serve: Serve, name: str) -> None:
    served = serve(name, handshake_timeout="0.2", close_timeout="0.2")
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as sock:
        sock.sendall(b"GET ")
        assert sock.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_origins_and_connections_are_limited(serve: Serve, name: str) -> None:
    served = serve(name, origins="https://good.example", max_connections="1")
    with opened(served, origin="https://good.example") as ws:
        with pytest.raises(InvalidStatus) as caught:
            opened(served, origin="https://good.example")
        assert caught.value.response.status_code == 503
        ws.send("x")
        assert ws.recv(10) == "x"
    served.end()
    served = serve(name, origins="https://good.example")
    with pytest.raises(InvalidStatus) as caught:
        opened(served, origin="https://evil.example")
    assert caught.value.response.status_code == 403
