"""permessage-deflate by Autobahn: what is agreed to, what it costs, and where a bomb ends."""

import contextlib
import socket
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock
from websocketsvc.autobahn_protocol import Hardened
from websocketsvc.autobahn_service import make_factory
from websocketsvc.deflate import WORTH_PACKING

from .support.fixtures import MakeSettings, Serve, Tools
from .support.wire import Client

TEXT, BINARY, CLOSE = 1, 2, 8
PACKED = 4  # RSV1
OFFER = "permessage-deflate; client_max_window_bits"


def packed(data: bytes, level: int = 9) -> bytes:
    packer = zlib.compressobj(level, wbits=-15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def unpacked(data: bytes) -> bytes:
    return zlib.decompress(data + b"\x00\x00\xff\xff\x03\x00", wbits=-15)


class Answered(Client):
    """Its opening request is answered."""

    answer: bytes


@pytest.fixture
def connect(settings: MakeSettings, clock: Clock, tools: Tools) -> Callable[..., Answered]:
    def make(offer: str = OFFER, **options: object) -> Answered:
        factory = make_factory(settings("autobahn", ping_interval=0, **options), clock)
        client = Answered(factory, clock)
        client.send(tools.opening("/ws/autobahn/echo", Sec_WebSocket_Extensions=offer))
        client.answer = client.received()
        return client

    return make


def extensions(client: Answered) -> bytes | None:
    for line in client.answer.split(b"\r\n"):
        if line.startswith(b"Sec-WebSocket-Extensions: "):
            return line.partition(b": ")[2]
    return None


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        (OFFER, b"permessage-deflate; client_no_context_takeover"),
        ("permessage-deflate; client_max_window_bits=8", b"permessage-deflate; client_no_context_takeover"),
        ("permessage-deflate", b"permessage-deflate; client_no_context_takeover"),
        ("permessage-deflate; server_max_window_bits=10",
         b"permessage-deflate; server_max_window_bits=10; client_no_context_takeover"),
        ("x-webkit-other, permessage-deflate", b"permessage-deflate; client_no_context_takeover"),
        ("something-else", None),
    ],
)  # fmt: skip
def test_what_is_agreed_to(connect: Callable[..., Answered], offer: str, agreed: bytes | None) -> None:
    client = connect(offer)
    assert client.answer.startswith(b"HTTP/1.1 101 ")
    assert extensions(client) == agreed


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate; colour=red",
        "permessage-deflate; server_max_window_bits=99",
        "permessage-deflate; server_max_window_bits=8",  # a right one, but no window of zlib's
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-bzip2; client_max_compress_level=99",
        "; =, ,",
    ],
)
def test_an_offer_that_cannot_be_accepted_is_declined(connect: Callable[..., Answered], offer: str) -> None:
    """And the next one is looked at."""
    alone = connect(offer)
    assert (alone.answer[9:12], extensions(alone)) == (b"101", None)
    assert extensions(connect(f"{offer}, permessage-deflate")) == b"permessage-deflate; client_no_context_takeover"


def test_it_can_be_switched_off(connect: Callable[..., Answered]) -> None:
    assert extensions(connect(compression="false")) is None


def test_messages_are_packed_where_it_is_worth_it(connect: Callable[..., Answered], tools: Tools) -> None:
    client = connect()
    small, large = b"x" * (WORTH_PACKING - 1), b"x" * 10_000
    client.send(tools.client_frame(TEXT, packed(small), rsv=PACKED))
    assert client.frames() == [(TEXT, small)]
    for _ in range(2):  # the second does without the first one's window
        client.send(tools.client_frame(TEXT, packed(large), rsv=PACKED))
        answer = client.received()
        assert answer[0] == 0xC1
        assert unpacked(answer[2:]) == large


def test_nothing_is_kept_between_messages(connect: Callable[..., Answered], tools: Tools) -> None:
    client = connect()
    client.send(tools.client_frame(TEXT, packed(b"x" * 10_000), rsv=PACKED))
    conversation = client.door._conversation
    assert isinstance(conversation, Hardened)
    deflate: Any = conversation._perMessageCompress  # Autobahn says None
    assert (deflate._compressor, deflate._decompressor) == (None, None)


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_bomb_ends_at_the_limit(connect: Callable[..., Answered], tools: Tools, pieces: int) -> None:
    client = connect(max_message=100_000)
    bomb = packed(bytes(50_000_000))
    assert len(bomb) < 100_000
    step = -(-len(bomb) // pieces)
    for at in range(0, len(bomb), step):
        first, last = at == 0, at + step >= len(bomb)
        frame = tools.client_frame(BINARY if first else 0, bomb[at : at + step], fin=last, rsv=PACKED if first else 0)
        client.send(frame)
    ((opcode, payload),) = client.frames()
    assert (opcode, payload[:2]) == (CLOSE, b"\x03\xf1")


def test_what_cannot_be_unpacked(connect: Callable[..., Answered], tools: Tools) -> None:
    client = connect()
    client.send(tools.client_frame(BINARY, b"\xff" * 100, rsv=PACKED))
    ((opcode, payload),) = client.frames()
    assert (opcode, payload[:2]) == (CLOSE, b"\x03\xef")


def test_bombs_cost_bounded_memory(serve: Serve, tools: Tools) -> None:
    """100 MiB in 100 KB, five times, to a process of its own."""
    served = serve("autobahn", close_timeout="0.5")
    bomb = tools.client_frame(BINARY, packed(bytes(100 << 20)), rsv=PACKED)
    before = served.memory()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", served.port), 20) as sock:
            sock.sendall(tools.opening(served.path, Sec_WebSocket_Extensions=OFFER) + bomb)
            data = b""
            with contextlib.suppress(ConnectionResetError):  # this client answers no Close
                while piece := sock.recv(65536):
                    data += piece
        head, _, frames = data.partition(b"\r\n\r\n")
        assert b"permessage-deflate" in head
        ((opcode, payload),) = tools.server_frames(frames)
        assert (opcode, payload[:2]) == (CLOSE, b"\x03\xf1")
    assert served.memory() - before < 16 << 20


@pytest.mark.parametrize("more", [0, 1, 100, 300])
@pytest.mark.parametrize("pieces", [1, 3])
def test_what_is_just_too_much_is_not_cut_to_fit(
    connect: Callable[..., Answered], tools: Tools, more: int, pieces: int
) -> None:
    """It ends in zlib, of which all input is taken when the limit is reached; Autobahn looks at the input that is left."""
    client = connect(max_message=100_000)
    data = packed(b"a" * (100_000 + more))
    step = -(-len(data) // pieces)
    for at in range(0, len(data), step):
        client.send(
            tools.client_frame(0 if at else BINARY, data[at : at + step], fin=at + step >= len(data), rsv=0 if at else PACKED)
        )
    answer = client.received()
    if more:
        ((opcode, payload),) = tools.server_frames(answer)
        assert (opcode, payload[:2]) == (CLOSE, b"\x03\xf1")
    else:
        assert unpacked(answer[4 if answer[1] == 126 else 2 :]) == b"a" * 100_000
