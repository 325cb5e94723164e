from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from websocketsvc.autobahn_parts import PIECES, Timers, Utf8, join_pieces


@given(st.lists(st.binary(max_size=3), max_size=3000))
def test_joining_loses_nothing(found: list[bytes]) -> None:
    pieces: list[bytes] = []
    at = 0
    for piece in found:
        pieces.append(piece)
        at = join_pieces(pieces, at)
        assert len(pieces) - at < PIECES
    assert b"".join(pieces) == b"".join(found)


def test_joining_nothing() -> None:
    assert join_pieces(None, 0) == 0


def test_empty_pieces_take_no_memory() -> None:
    pieces = [b""] * PIECES
    assert join_pieces(pieces, 0) == 0 and pieces == []


def test_timers_are_exact_and_on_the_given_clock(clock: Clock) -> None:
    said: list[object] = []
    Timers(clock).call_later(1.5, lambda *args, **kw: said.append((args, kw)), 1, two=2)
    clock.advance(1.4)
    assert said == []
    clock.advance(0.1)
    assert said == [((1,), {"two": 2})]


@given(st.binary(max_size=30), st.integers(0, 30))
def test_the_validator_agrees_with_python(data: bytes, cut: int) -> None:
    try:
        data.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    validator = Utf8()
    first = validator.validate(data[:cut])
    second = validator.validate(data[cut:]) if first[0] else first
    assert (second[0] and second[1]) == valid


def test_the_validator_says_where() -> None:
    validator = Utf8()
    assert validator.validate(b"ab\xe2") == (True, False, 3, 3)
    assert validator.validate(b"\x82\xac") == (True, True, 2, 5)
    assert validator.validate(b"c\xff") == (False, False, 1, 6)
    validator.reset()
    assert validator.validate(b"c") == (True, True, 1, 1)
