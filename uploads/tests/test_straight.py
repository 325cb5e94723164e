"""Plain PUTs that go straight from socket to file: every byte, every end, and what comes behind."""

import errno
import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from uploadsvc import straight
from uploadsvc.part import Part
from uploadsvc.refusals import LINGER

from tests.support.descriptors import no_descriptor_leaks
from tests.support.wire import Wire

DATA = bytes(range(256)) * 1500
HEAD = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(DATA)
GET = b"GET /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n"
OURS = (("/uploads/", True), ("/static/", False))


@pytest.fixture
def wire(service: Any) -> Iterator[Wire]:
    yield from connected(service)


def connected(service: Any) -> Iterator[Wire]:
    with no_descriptor_leaks():
        wire = Wire(service.site, OURS)
        yield wire
        wire.close()
        service.clock.advance(0)
        assert service.site.intake.under_way == 0


@pytest.fixture(autouse=True)
def straightly(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that went this way."""
    seen: list[str] = []
    original = straight.Straight.__init__

    def noted(self: Any, channel: Any, asked: Any) -> None:
        original(self, channel, asked)
        seen.append(asked.name)

    monkeypatch.setattr(straight.Straight, "__init__", noted)
    return seen


def status(wire: Wire) -> int:
    return int(wire.answer()[0].split(b" ")[1])


def failing(monkeypatch: pytest.MonkeyPatch, into_file: bool, code: int, after: int = 0) -> None:
    """Splicing into the file, or from the socket, fails after some calls."""
    real, left = os.splice, [after]

    def splice(source: int, target: int, count: int, **more: Any) -> int:
        if os.path.isfile(f"/proc/self/fd/{target}") is into_file:
            if not left[0]:
                raise OSError(code, os.strerror(code))
            left[0] -= 1
        return real(source, target, count, **more)

    monkeypatch.setattr(os, "splice", splice)


@pytest.mark.parametrize("step", [50_000, 100_001, len(HEAD), 10**6])
def test_in_pieces(wire: Wire, service: Any, straightly: list[str], step: int) -> None:
    (service.root / "x").write_bytes(b"old")
    sent = HEAD + DATA
    cuts = [0, len(HEAD) + 1000, *range(len(HEAD) + 1000 + step, len(sent), step), len(sent)]
    for begin, end in pairwise([0, step, len(sent)] if step < 1000 else cuts):
        wire.send(sent[begin:end])
    assert status(wire) == 200 and straightly == ["x"] and service.files() == {"x": DATA}


def test_the_answer_is_that_of_the_ordinary_way(wire: Wire, service: Any, straightly: list[str]) -> None:
    answers = []
    for together in (service.site.together, None):
        service.site.together = together
        wire.send(HEAD)
        wire.send(DATA)
        head, body = wire.answer()
        fields = dict(line.partition(b": ")[::2] for line in head.split(b"\r\n"))
        assert fields.pop(b"Date") and fields.pop(b"ETag")
        answers.append((fields, body))
        (service.root / "x").unlink()
    assert answers[0] == answers[1] and straightly == ["x"]


def test_what_is_behind_it_stays_in_the_socket_until_it_is_answered(wire: Wire, service: Any) -> None:
    wire.send(HEAD + DATA[:100])
    wire.send(DATA[100:] + GET + HEAD + DATA[:10])
    assert status(wire) == 201
    assert wire.answer()[1] == DATA
    wire.send(DATA[10:])
    assert status(wire) == 200 and service.files() == {"x": DATA}
    wire.send(b"GET /static/y HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.back == [b"GET /static/y HTTP/1.1\r\nHost: x\r\n\r\n"]


@pytest.mark.parametrize("came", [0, 1, len(DATA) - 1])
def test_a_client_that_leaves(wire: Wire, service: Any, came: int) -> None:
    wire.send(HEAD)
    if came:
        wire.send(DATA[:came])
    assert service.site.intake.under_way == 1
    wire.client.close()
    wire.read_the_end()
    assert wire.lost == 1 and service.files() == {}
    assert service.site.intake.counts._counts["broken_off put"] == 1
    assert service.site.intake.counts._counts["bytes put"] == came


def test_a_client_that_is_idle(service: Any) -> None:
    service.site.timeOut = 10
    for wire in connected(service):
        wire.send(HEAD)
        for at in range(5):
            wire.reactor.advance(9)
            wire.send(DATA[at : at + 1])
        assert not wire.server.disconnecting, "slow is not idle"
        wire.reactor.advance(11)
        assert wire.server.disconnecting


def test_a_slow_disk_is_no_idle_client(make_uploads: Callable[..., Any], held: Any) -> None:
    service = make_uploads(held, idle_timeout=10)
    for wire in connected(service):
        wire.send(HEAD)
        assert wire.server not in wire.reactor.readers, "a thread has the socket"
        wire.reactor.advance(1000)
        held.run_all()
        assert not wire.server.disconnecting and wire.server in wire.reactor.readers
        wire.send(DATA)
        wire.reactor.advance(1000)
        held.run_all()
        assert status(wire) == 201
        wire.reactor.advance(11)
        assert wire.server.disconnecting, "the idle time counts again"


@pytest.mark.parametrize("came", [10, len(DATA)])
def test_a_connection_lost_while_a_thread_has_it(make_uploads: Callable[..., Any], held: Any, came: int) -> None:
    service = make_uploads(held)
    for wire in connected(service):
        wire.send(HEAD + DATA[:10])
        wire.client.sendall(DATA[10:came])
        wire.server.abortConnection()
        wire.reactor.advance(0)
        held.run_all()
        assert service.finals() == {} and service.files() == {}, "nobody was there any more"


@pytest.mark.parametrize("after", [0, 1])
def test_a_full_disk_midway(wire: Wire, service: Any, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    logged: list[int] = []
    monkeypatch.setattr(service.site, "log", lambda request: logged.append(request.code))
    failing(monkeypatch, True, errno.ENOSPC, after)
    wire.send(HEAD)
    wire.send(DATA[:50_000])
    wire.send(DATA[50_000:100_000])
    head, _ = wire.answer()
    assert head.startswith(b"HTTP/1.1 507") and b"Connection: close" in head and logged == [507]
    monkeypatch.undo()
    wire.reactor.advance(LINGER - 1)
    for _ in range(40):
        wire.send(DATA)
    assert wire.lost == 0, "its rest is read away, so that the answer arrives"
    wire.reactor.advance(2)
    assert wire.lost == 1 and service.files() == {}


@pytest.mark.parametrize(("code", "answer"), [(errno.ENOSPC, 507), (errno.EIO, 500)])
def test_a_disk_that_fails_at_the_end_keeps_the_connection(
    wire: Wire, service: Any, monkeypatch: pytest.MonkeyPatch, code: int, answer: int
) -> None:
    def settle(self: Part, size: int) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(Part, "settle", settle)
    wire.send(HEAD)
    wire.send(DATA)
    assert status(wire) == answer and service.files() == {}
    monkeypatch.undo()
    wire.send(HEAD)
    wire.send(DATA)
    assert status(wire) == 201 and service.files() == {"x": DATA}


def test_a_folder_in_the_way(wire: Wire, service: Any) -> None:
    (service.root / "x").mkdir()
    wire.send(HEAD)
    wire.send(DATA + GET)
    assert (status(wire), status(wire)) == (409, 404) and service.files() == {}


def test_a_socket_that_the_kernel_does_not_move_from(wire: Wire, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, False, errno.EINVAL)
    wire.send(HEAD)
    wire.send(DATA[:1000])
    wire.send(DATA[1000:] + GET)
    assert status(wire) == 201 and wire.answer()[1] == DATA and service.files() == {"x": DATA}


def test_where_no_descriptors_are_left(
    wire: Wire, service: Any, straightly: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> Any:
        raise OSError(errno.EMFILE, "none left")

    monkeypatch.setattr(os, "pipe2", none_left)
    wire.send(HEAD)
    wire.send(DATA)
    assert status(wire) == 201 and not straightly and service.files() == {"x": DATA}


@pytest.mark.parametrize("option", [{"splice": False}, {"sha256": "always"}])
def test_where_its_bytes_are_wanted(make_uploads: Callable[..., Any], straightly: list[str], option: dict[str, Any]) -> None:
    service = make_uploads(**option)
    for wire in connected(service):
        wire.send(HEAD)
        wire.send(DATA)
        assert status(wire) == 201 and not straightly


def test_where_the_client_asks_for_the_sum(wire: Wire, straightly: list[str]) -> None:
    wire.send(HEAD[:-2] + b"Want-Repr-Digest: sha-256=1\r\n\r\n")
    wire.send(DATA)
    assert b"Repr-Digest: sha-256=:" in wire.answer()[0] and not straightly


def test_a_drain_waits_for_it(wire: Wire, service: Any) -> None:
    wire.send(HEAD + DATA[:10])
    wire.channel.drain()
    assert not wire.back
    wire.send(DATA[10:])
    assert status(wire) == 201 and wire.back == [b""] and service.files() == {"x": DATA}
