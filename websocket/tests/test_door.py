"""The door, with a conversation behind it that writes down what it is told."""

from collections.abc import Iterator
from typing import cast

import pytest
from svckit.lease import IDrainable
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from websocketsvc.door import DoorFactory
from websocketsvc.mounts import Mount
from websocketsvc.options import Options
from zope.interface.verify import verifyObject

from .support.doors import Scribes, goodbyes
from .support.fixtures import Tools
from .support.wire import Client


@pytest.fixture
def scribes() -> Scribes:
    return Scribes()


class Connect:
    """Called, it connects a client."""

    def __init__(self, scribes: Scribes, clock: Clock) -> None:
        self.clock, options = clock, Options(max_request=1000, max_connections=2)
        self.factory = DoorFactory([Mount(b"/ws/echo", scribes, frozenset({"https://a"}))], options, clock)

    def __call__(self) -> Client:
        return Client(self.factory, self.clock)


@pytest.fixture
def connect(scribes: Scribes, clock: Clock) -> Connect:
    return Connect(scribes, clock)


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    found: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event["log_namespace"] == "access":
            found.append(event)

    observer = cast(ILogObserver, observe)
    globalLogPublisher.addObserver(observer)
    yield found
    globalLogPublisher.removeObserver(observer)


def test_a_door_is_drainable(connect: Connect) -> None:
    assert verifyObject(IDrainable, connect().door)


# -- letting in


def test_the_handshake_at_once_with_bytes_behind_it(connect: Connect, scribes: Scribes, tools: Tools) -> None:
    connect().send(tools.opening("/ws/echo") + b"first").send(b" second")
    (scribe,) = scribes.made
    assert scribe.said == ["connected", tools.KEY.decode()]
    assert scribe.data == b"first second"


def test_the_handshake_byte_by_byte(connect: Connect, scribes: Scribes, tools: Tools) -> None:
    client = connect()
    for byte in tools.opening("/ws/echo?token=1") + b"rest":
        client.send(bytes((byte,)))
    assert scribes.made[0].data == b"rest"
    assert client.received() == b""


def test_the_deadline_ends_with_the_handshake(connect: Connect, scribes: Scribes, tools: Tools, clock: Clock) -> None:
    client = connect().send(tools.opening("/ws/echo"))
    clock.advance(100)
    assert not client.wire.closing and clock.getDelayedCalls() == []


# -- refusing


def refused(client: Client, status: int) -> bytes:
    answer = client.received()
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert client.wire.half_closed and not client.wire.aborted
    return answer


@pytest.mark.parametrize("path", ["/ws/other", "/ws/echo/", "/ws/echo/x", "/ws", "/"])
def test_other_paths(connect: Connect, tools: Tools, path: str) -> None:
    answer = refused(connect().send(tools.opening(path)), 404)
    assert f"No WebSocket is mounted at {path}; there is /ws/echo.".encode() in answer


def test_a_plain_get(connect: Connect) -> None:
    answer = refused(connect().send(b"GET /ws/echo HTTP/1.1\r\nHost: a\r\n\r\n"), 426)
    assert b"\r\nUpgrade: websocket\r\n" in answer and b"\r\nSec-WebSocket-Version: 13\r\n" in answer
    assert b"Upgrade: websocket and Connection: Upgrade." in answer


def test_a_malformed_request(connect: Connect) -> None:
    refused(connect().send(b"nonsense\r\n\r\n"), 400)


def test_an_origin_that_is_not_allowed(connect: Connect, tools: Tools, scribes: Scribes) -> None:
    refused(connect().send(tools.opening("/ws/echo", Origin="https://b")), 403)
    connect().send(tools.opening("/ws/echo", Origin="https://a"))
    assert len(scribes.made) == 1


def test_a_head_that_is_too_large(connect: Connect) -> None:
    refused(connect().send(b"GET /ws/echo HTTP/1.1\r\nX: " + b"x" * 1000), 431)


def test_a_head_that_does_not_come_in_time_however_steadily(connect: Connect, clock: Clock) -> None:
    client = connect()
    for _ in range(4):
        client.send(b"G")
        clock.advance(1.2)
    assert not client.wire.closing
    clock.advance(0.2)
    refused(client, 408)


def test_nobody_behind(connect: Connect, scribes: Scribes, tools: Tools) -> None:
    scribes.absent = True
    answer = refused(connect().send(tools.opening("/ws/echo")), 503)
    assert b"\r\nRetry-After: 5\r\n" in answer


def test_one_connection_too_many(connect: Connect, scribes: Scribes, tools: Tools) -> None:
    first, second, third = connect(), connect(), connect()
    refused(third.send(tools.opening("/ws/echo")), 503)
    third.lose()
    first.send(tools.opening("/ws/echo"))
    second.send(tools.opening("/ws/echo"))
    first.lose()
    connect().send(tools.opening("/ws/echo"))
    assert len(scribes.made) == 3
    assert connect.factory.open_doors == 2


def test_after_a_refusal_everything_is_dropped_and_the_connection_cut_in_the_end(
    connect: Connect, clock: Clock, scribes: Scribes, tools: Tools
) -> None:
    client = connect().send(b"nonsense\r\n\r\n")
    refused(client, 400)
    client.send(tools.opening("/ws/echo"))
    assert client.received() == b"" and scribes.made == []
    clock.advance(2)
    assert client.wire.aborted


def test_a_refused_client_that_hangs_up_leaves_no_timer(connect: Connect, clock: Clock) -> None:
    client = connect().send(b"nonsense\r\n\r\n")
    client.lose()
    assert clock.getDelayedCalls() == []


# -- drain


def test_drain_marks_and_does_nothing(connect: Connect, tools: Tools, scribes: Scribes, clock: Clock) -> None:
    client = connect().send(tools.opening("/ws/echo"))
    client.door.drain()
    clock.advance(100)
    assert client.door.draining and not client.wire.closing
    assert scribes.made[0].said == ["connected", tools.KEY.decode()]


def test_a_handshake_under_way_is_still_answered_after_drain(connect: Connect, tools: Tools, scribes: Scribes) -> None:
    client = connect()
    client.door.drain()
    client.send(tools.opening("/ws/echo"))
    assert len(scribes.made) == 1


def test_expire_goes_to_the_conversation(connect: Connect, tools: Tools, scribes: Scribes) -> None:
    client = connect().send(tools.opening("/ws/echo"))
    client.door.expire()
    assert scribes.made[0].said[-1] == "expired"


def test_expire_before_the_handshake(connect: Connect) -> None:
    client = connect().send(b"GET ")
    client.door.expire()
    refused(client, 503)
    client.door.expire()
    assert client.received() == b""


@pytest.mark.parametrize(("spread", "first", "last"), [(1.0, 5.0, 6.1), (4.0, 2.0, 6.1), (0.0, 5.0, 5.0), (100.0, 0.0, 6.1)])
def test_a_drain_spreads_its_goodbyes(connect: Connect, clock: Clock, spread: float, first: float, last: float) -> None:
    at = goodbyes(connect, clock, spread, 5.0)
    assert len(at) == 40
    assert first <= min(at) <= max(at) <= last
    assert max(at) - min(at) >= min(spread, 6) / 2
    assert clock.getDelayedCalls() == []


# -- the log


def test_one_event_at_the_end_of_a_conversation(
    connect: Connect, tools: Tools, events: list[LogEvent], clock: Clock, scribes: Scribes
) -> None:
    client = connect()
    clock.advance(0.25)
    client.send(tools.opening("/ws/echo?secret=1"))
    clock.advance(1)
    assert events == []
    client.lose()
    assert scribes.made[0].said[-1] == "lost"
    (event,) = events
    assert {key: value for key, value in event.items() if not key.startswith("log_")} == {
        "client": "192.0.2.7",
        "path": "/ws/echo",
        "status": 101,
        "code": 1000,
        "by": "client",
        "user": None,
        "received": 3,
        "sent": 4,
        "ms": 1250.0,
    }


def test_one_event_for_a_refusal(connect: Connect, tools: Tools, events: list[LogEvent]) -> None:
    connect().send(tools.opening("/no")).lose()
    (event,) = events
    assert (event["path"], event["status"], event["code"]) == ("/no", 404, None)


def test_one_event_for_a_client_that_says_nothing(connect: Connect, events: list[LogEvent]) -> None:
    connect().lose()
    (event,) = events
    assert (event["path"], event["status"], event["code"]) == (None, None, None)


def test_mounts_start_and_stop_with_the_factory(connect: Connect, scribes: Scribes) -> None:
    connect.factory.doStart()
    assert scribes.started == 1
    connect.factory.doStop()
    assert scribes.started == 0
