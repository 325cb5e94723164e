"""Small PUTs that come in the smallest of pieces, and with an empty line between them."""

from typing import Any

import pytest
from uploadsvc import quick, sink

BODY = bytes(range(256)) * (quick.MOST // 256)
HEAD = b"PUT /uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)


@pytest.mark.parametrize("step", [2, 100, sink.COALESCE])
def test_many_pieces_lie_in_a_few(service: Any, step: int) -> None:
    connection = service.connect()
    connection.send(HEAD + BODY[:1])
    pieces = connection.channel._taking._pieces
    for at in range(1, len(BODY), step):
        connection.send(BODY[at : at + step])
        assert len(pieces) <= 2 + len(BODY) // sink.COALESCE, "each has its price in memory"
    assert connection.answers()[0][0] == 201 and service.files() == {"x": BODY}


def test_an_empty_line_before_each(service: Any) -> None:
    connection = service.connect()
    for _ in range(3):
        connection.send(b"\r\n")
        connection.send(HEAD + BODY)
    assert [answer[0] for answer in connection.answers()] == [201, 200, 200]
