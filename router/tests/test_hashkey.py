"""What hashing goes by."""

import pytest
from portico.core.hashkey import by_client, by_segment


def test_clients() -> None:
    assert by_client(("192.0.2.1", 5)) == by_client(("192.0.2.1", 6)) == b"192.0.2.1"
    assert by_client(("192.0.2.1", 5)) != by_client(("192.0.2.2", 5))
    assert by_client(("::ffff:192.0.2.1", 5)) == b"192.0.2.1"


def test_ipv6_clients_by_their_network() -> None:
    assert by_client(("2001:db8:1:2::1", 5)) == by_client(("2001:db8:1:2:ffff::9", 5)) == bytes.fromhex("20010db800010002")
    assert by_client(("2001:db8:1:2::1", 5)) != by_client(("2001:db8:1:3::1", 5))
    assert by_client(("fe80::1%eth0", 5)) == bytes.fromhex("fe80000000000000")


@pytest.mark.parametrize(
    ("path", "number", "expected"),
    [
        (b"/ws/rooms/NAME", 3, b"NAME"),
        (b"/ws/rooms/NAME/", 3, b"NAME"),
        (b"/ws/rooms/NAME/x/y", 3, b"NAME"),
        (b"/ws/rooms/NAME", 1, b"ws"),
        (b"/ws/rooms/", 3, None),
        (b"/ws/rooms", 3, None),
        (b"/", 1, None),
        (b"*", 1, None),
    ],
)
def test_segments(path: bytes, number: int, expected: bytes | None) -> None:
    assert by_segment(path, number) == expected
