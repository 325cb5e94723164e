import pytest
from websocketsvc.events import BINARY, CLOSE, encode


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65535, b"\x82\x7e\xff\xff"),
        (65536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_encode(size: int, head: bytes) -> None:
    assert encode(BINARY, b"x" * size) == head + b"x" * size


def test_encode_of_the_rfc() -> None:
    assert encode(1, b"Hello") == bytes.fromhex("810548656c6c6f")  # section 5.7
    assert encode(CLOSE, b"") == b"\x88\x00"
