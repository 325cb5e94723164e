"""Fuzz the PROXY protocol's decoder: nothing but `Malformed` is raised, pieces change nothing, what it reads can be written.

python tests/fuzz/fuzz_proxy.py -max_total_time=600 [CORPUS]     (needs atheris; not among the project's requirements)
"""

import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["portico.core"]):
    from portico.core.proxyprotocol import LARGEST, Malformed, Proxied, decode, encode_v1, encode_v2

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def outcome(data: bytes) -> Proxied | bool | None:
    """The header, None for "more", False for malformed."""
    try:
        return decode(data)
    except Malformed:
        return False


def check(data: bytes) -> None:
    """Raise where something that must hold does not."""
    for candidate in (data, SIGNATURE + data, SIGNATURE + b"\x21" + data, b"PROXY TCP6 " + data, b"PROXY TCP4 " + data):
        check_one(candidate)


def check_one(data: bytes) -> None:
    """One candidate, whole and at each length."""
    whole = outcome(data)
    decided = next((found for found in map(outcome, (data[:size] for size in range(len(data) + 1))) if found is not None), None)
    assert decided == whole, (whole, decided)
    if whole is None:
        assert len(data) < LARGEST
    if not isinstance(whole, Proxied):
        return
    assert 0 < whole.end <= min(len(data), LARGEST)
    assert outcome(data[: whole.end - 1]) is None
    if whole.source is not None:
        for written in (encode_v1(*whole[:2]), encode_v2(*whole[:2]), encode_v2(*whole[:2], checksum=True)):
            again = decode(written + b"rest")
            assert again is not None and again.end == len(written)
            assert again[:2] == whole[:2], (again, whole)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
