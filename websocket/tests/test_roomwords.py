import pytest
from websocketsvc.roomwords import Join, Publish, message, read


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
