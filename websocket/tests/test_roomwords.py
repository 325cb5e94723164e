import pytest
from websocketsvc.roomwords import DEEPEST, Join, Publish, message, read


def test_words() -> None:
    assert read(b'{"type":"join"}') == Join("guest", None, None, None)
    assert read(b'{"type":"join","name":"A","client":"12345678","since":0,"epoch":"e"}') == Join("A", "12345678", 0, "e")
    assert read(b'{"type":"publish","id":"1","data":null}') == Publish("1", None)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"x", b"[]", b"{}", b"7", b'{"type":"leave"}', b'{"type":"join","colour":"red"}', b'{"type":"join","name":""}',
        b'{"type":"join","name":"' + b"x" * 65 + b'"}', b'{"type":"join","client":"short"}', b'{"type":"join","since":-1}',
        b'{"type":"join","since":"1"}', b'{"type":"publish","id":"1"}', b'{"type":"publish","data":1}',
        b'{"type":"publish","id":1,"data":1}', b'{"type":"publish","id":"","data":1}', b"\xff",
        b'{"type":"publish","id":"1","data":' + b"[" * 50_000, b'{"type":"publish","id":"1","data":"\\ud800"}',
    ],
)  # fmt: skip
def test_what_is_none(text: bytes) -> None:
    assert isinstance(read(text), str)


def test_data_that_cannot_be_written_again() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        message(1, {}, 0.0, "\ud800")


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[0,[],{"b":', b"}]")])
def test_data_may_be_nested_so_deep(opening: bytes, closing: bytes) -> None:
    """Deeper ones might not be read again from the disk, by whoever takes the room there."""
    each = opening.count(b"[0") + 1
    for deep, taken in ((DEEPEST // each, True), (DEEPEST // each + 1, False), (200, False)):
        found = read(b'{"type":"publish","id":"1","data":' + opening * deep + b"1" + closing * deep + b"}")
        assert isinstance(found, Publish) == taken
        assert taken or f"nested {DEEPEST} deep" in str(found)


def test_much_that_is_not_nested() -> None:
    assert isinstance(read(b'{"type":"publish","id":"1","data":[' + b"[[]]," * 1000 + b'"[[[["]}'), Publish)
