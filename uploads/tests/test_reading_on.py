"""What an earlier answer on its way means to a body: the channel reads on when it is out, even where a thread has it."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from uploadsvc.part import Part

from tests.support.wire import Wire

DATA = bytes(range(256)) * 1500
HEAD = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(DATA)
GET = b"GET /uploads/x HTTP/1.1\r\nHost: x\r\n\r\n"
ORDINARY = b'If-None-Match: "x"\r\n'


@pytest.mark.parametrize("field", [b"", ORDINARY], ids=["quick", "ordinary"])
def test_a_thread_has_the_socket_for_itself(make_uploads: Callable[..., Any], held: Any, field: bytes) -> None:
    service = make_uploads(held)
    wire = Wire(service.site)
    wire.send(HEAD + field + b"\r\n" + DATA[:100])
    wire.channel.pauseProducing()
    wire.channel.resumeProducing()  # as the transport does
    wire.send(DATA[100:1000])
    assert len(held.jobs) == 1 and wire.server not in wire.reactor.readers
    held.run_one()
    assert not held.jobs, "nothing was begun meanwhile"
    wire.send(DATA[1000:] + GET)
    held.run_all()
    assert wire.answer()[0].startswith(b"HTTP/1.1 201") and wire.answer()[1] == DATA
    assert service.files() == {"x": DATA}
    wire.close()


def test_a_refusal_that_cannot_go_out_has_its_time(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Any:
        raise OSError(errno.ENOSPC, "no")

    wire = Wire(service.site)
    monkeypatch.setattr(Part, "splice", full)
    monkeypatch.setattr(wire.server, "writeSomeData", lambda data: 0)
    wire.send(HEAD + b"\r\n" + DATA[:10])
    wire.reactor.advance(service.site.timeOut - 1)
    assert wire.lost == 0
    wire.reactor.pump([2, 20, 0])
    assert wire.lost == 1, "as much as a client that is idle"
    wire.close()
