"""What is remembered of heads of plain PUTs, and what is not."""

import pytest
from svckit.remembered import Remembered
from uploadsvc import plain

from .test_quick import head


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, bool | None]:
    empty = Remembered(plain._judge, plain.MOST_HEADS)
    monkeypatch.setattr(plain, "_remembered", empty)
    return empty


def test_heads_that_differ_in_name_and_length_are_one(remembered: dict[bytes, bool | None]) -> None:
    for count in (1, 20, 300):
        data = head("A: b", f"Content-Length: {count}", "Want-Repr-Digest: sha-256", target=f"/uploads/{count}")
        for _ in range(2):
            assert plain.read(data + b"x") == plain.Asked(b"/uploads/%d" % count, str(count), count, len(data), True)
    assert len(remembered) == 1


@pytest.mark.parametrize("where", [0, 1])
def test_what_is_special_is_it_again(where: int) -> None:
    fields = ["Content-Length: 3"]
    fields.insert(where, "Expect: 100-continue")
    assert [plain.read(head(*fields)) for _ in range(2)] == [None, None]


@pytest.mark.parametrize("field", ["Authorization: Basic eDp5", "cookie: a=b", "PROXY-AUTHORIZATION: x"])
@pytest.mark.parametrize("where", [0, 1])
def test_what_somebody_logs_in_with_is_not_kept(remembered: dict[bytes, bool | None], field: str, where: int) -> None:
    fields = ["Content-Length: 3"]
    fields.insert(where, field)
    assert plain.read(head(*fields)) is not None and not remembered


def test_no_more_than_so_many(remembered: dict[bytes, bool | None]) -> None:
    for at in range(plain.MOST_HEADS + 2):
        assert plain.read(head("Content-Length: 3", f"A: {at}")) is not None
    assert [fields.split(b"\r\n")[1] for fields in remembered] == [b"A: %d" % at for at in range(2, plain.MOST_HEADS + 2)]


@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Length: 3", "Content-Length: 3"],
        ["CONTENT-LENGTH: 3", "Content-Length: 3"],
        ["content-length: 3", "X: y\x01"],
        ["X: y\x01", "content-length: 3"],
        ["Content-Length: 3", " folded"],
        ["X-Content-Length: 3"],
        ["A: b\rContent-Length: 3"],
    ],
)
def test_a_length_is_one_whole_line_of_a_head_that_is_sound(fields: list[str]) -> None:
    assert plain.read(head(*fields)) is None
