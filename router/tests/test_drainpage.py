"""POST /drain and /undrain: what they take, and what no web page can make a browser send."""

import json

import pytest
from portico.admin import make_site
from portico.draining import NotThere, Undrainable
from portico.drainpage import LARGEST
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from .support.wires import parse_response

BODY = b'{"service": "app", "replica": "10.0.0.7:8000"}'
JSON = "Content-Type: application/json"


class Operator:
    """Asks, and remembers what was done."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, bool]] = []
        self.error: Exception | None = None

    def drain(self, service: str, replica: str, drained: bool) -> None:
        if self.error is not None:
            raise self.error
        self.done.append((service, replica, drained))

    def ask(self, path: str, body: bytes = BODY, *fields: str, method: str = "POST", pieces: int = 0) -> tuple[int, str, bytes]:
        channel = make_site(dict, lambda: True, lambda: b"", self.drain).buildProtocol(None)
        assert channel is not None
        transport = StringTransport()
        channel.makeConnection(transport)
        head = "\r\n".join(
            [f"{method} {path} HTTP/1.1", "Host: h", "Connection: close", f"Content-Length: {len(body)}", *fields]
        )
        wire = f"{head}\r\n\r\n".encode() + body
        for at in range(0, len(wire), pieces or len(wire)):
            channel.dataReceived(wire[at : at + (pieces or len(wire))])
        channel.connectionLost(Failure(ConnectionDone()))
        response, said = parse_response(transport.value())
        return response.status, response.headers.get("Content-Type", ""), said


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.mark.parametrize("pieces", [0, 1])
@pytest.mark.parametrize(("path", "drained"), [("/drain", True), ("/undrain", False)])
def test_done(operator: Operator, path: str, drained: bool, pieces: int) -> None:
    status, kind, said = operator.ask(path, BODY, JSON, pieces=pieces)
    assert (status, kind) == (200, "application/json")
    assert json.loads(said) == {"service": "app", "replica": "10.0.0.7:8000", "drained": drained}
    assert operator.done == [("app", "10.0.0.7:8000", drained)]


@pytest.mark.parametrize("kind", [JSON + "; charset=utf-8", "content-type:  Application/JSON ; a=b"])
def test_the_type_may_say_more(operator: Operator, kind: str) -> None:
    assert operator.ask("/drain", BODY, kind)[0] == 200


@pytest.mark.parametrize(
    "kind",
    [
        (),
        ("Content-Type: text/plain",),
        ("Content-Type: application/x-www-form-urlencoded",),
        ("Content-Type: multipart/form-data; boundary=application/json",),
        ("Content-Type: text/plain; application/json",),
        ("Content-Type: application/json5",),
    ],
)
def test_what_a_form_can_send_does_nothing(operator: Operator, kind: tuple[str, ...]) -> None:
    assert operator.ask("/drain", BODY, *kind)[0] == 415
    assert operator.done == []


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8081"])
def test_no_web_page_may(operator: Operator, origin: str) -> None:
    assert operator.ask("/drain", BODY, JSON, f"Origin: {origin}")[0] == 403
    assert operator.done == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/drain", "/undrain", "/drain?service=app&replica=10.0.0.7:8000"])
def test_no_other_method(operator: Operator, method: str, path: str) -> None:
    channel = make_site(dict, lambda: True, lambda: b"", operator.drain).buildProtocol(None)
    assert channel is not None
    transport = StringTransport()
    channel.makeConnection(transport)
    channel.dataReceived(f"{method} {path} HTTP/1.1\r\nHost: h\r\nOrigin: http://evil.example\r\n\r\n".encode())
    channel.connectionLost(Failure(ConnectionDone()))
    assert int(transport.value().split(b" ")[1]) in (405, 501)
    assert b"access-control" not in transport.value().lower()
    assert operator.done == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"service": "app"}',
        b'{"service": "app", "replica": 7}',
        b'{"service": "app", "replica": "x", "force": true}',
        BODY + b"x",
        b'{"service": "\xff", "replica": "x"}',
    ],
)
def test_another_body(operator: Operator, body: bytes) -> None:
    status, _, said = operator.ask("/drain", body, JSON)
    assert status == 400
    assert said.strip()
    assert operator.done == []


def test_a_body_that_is_too_large(operator: Operator) -> None:
    padded = BODY + b" " * (LARGEST - len(BODY))
    assert operator.ask("/drain", padded, JSON)[0] == 200
    assert operator.ask("/drain", padded + b" ", JSON)[0] == 413
    assert len(operator.done) == 1


@pytest.mark.parametrize(("error", "status"), [(NotThere("app has no replica x"), 404), (Undrainable("app is here"), 409)])
def test_what_cannot_be_done_is_said(operator: Operator, error: Exception, status: int) -> None:
    operator.error = error
    found, kind, said = operator.ask("/undrain", BODY, JSON)
    assert (found, kind, said) == (status, "text/plain; charset=utf-8", f"{error}\n".encode())
