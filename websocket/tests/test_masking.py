from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocketsvc import masking

KEYS = st.binary(min_size=4, max_size=4)


def plain(data: bytes, key: bytes) -> bytes:
    """RFC 6455 section 5.3, to the letter."""
    return bytes(byte ^ key[at % 4] for at, byte in enumerate(data))


@pytest.mark.parametrize("way", [masking._by_integer, masking._by_table, masking._by_accelerator, masking.mask])
@given(data=st.binary(max_size=300), key=KEYS)
def test_every_way_does_what_the_rfc_says(way: Callable[[bytes | bytearray, bytes], bytes], data: bytes, key: bytes) -> None:
    assert way(data, key) == plain(data, key)
    assert way(bytearray(data), key) == plain(data, key)


@pytest.mark.parametrize("accelerated", [True, False])
@pytest.mark.parametrize("size", [masking.LARGE - 1, masking.LARGE, masking.LARGE + 3, 70000])
def test_around_the_size_where_the_way_changes(size: int, accelerated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "USES_NVX", accelerated)
    data, key = bytes(range(256)) * (size // 256) + bytes(size % 256), b"\x01\x80\xff\x7e"
    assert masking.mask(data, key) == plain(data, key)


def test_example_of_the_rfc() -> None:
    assert masking.mask(b"\x7f\x9f\x4d\x51\x58", b"\x37\xfa\x21\x3d") == b"Hello"  # section 5.7


@given(data=st.binary(max_size=40), key=KEYS, cut=st.integers(0, 40))
def test_a_rotated_key_goes_on_where_the_first_part_ended(data: bytes, key: bytes, cut: int) -> None:
    cut = min(cut, len(data))
    assert masking.mask(data[:cut], key) + masking.mask(data[cut:], masking.rotated(key, cut)) == plain(data, key)
