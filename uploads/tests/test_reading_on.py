"""A channel reads on when an earlier answer has gone out, also where a thread has the socket just then."""

from collections.abc import Callable
from typing import Any

import pytest

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
