"""What is remembered of heads, what is not, and how much."""

import pytest
from svckit.remembered import Remembered


@pytest.fixture
def asked() -> list[bytes]:
    return []


@pytest.fixture
def remembered(asked: list[bytes]) -> Remembered[int]:
    def judge(fields: bytes) -> int:
        asked.append(fields)
        return len(fields)

    return Remembered(judge, 3)


def test_each_is_judged_once(remembered: Remembered[int], asked: list[bytes]) -> None:
    assert [remembered[fields] for fields in (b"A: b\r\n", b"", b"A: b\r\n", b"")] == [6, 0, 6, 0]
    assert asked == [b"A: b\r\n", b""]


@pytest.mark.parametrize("field", [b"Authorization: Basic eDp5", b"COOKIE: a=b", b"proxy-authorization:x"])
@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\n", b"A: b\r\n"])
def test_what_somebody_logs_in_with_is_judged_each_time(
    remembered: Remembered[int], asked: list[bytes], before: bytes, field: bytes
) -> None:
    fields = before + field + b"\r\n"
    assert [remembered[fields], remembered[fields]] == [len(fields)] * 2
    assert asked == [fields] * 2 and not remembered


def test_the_oldest_goes(remembered: Remembered[int]) -> None:
    for size in range(5):
        assert remembered[b"x" * size] == size
    assert list(remembered) == [b"xx", b"xxx", b"xxxx"]


def test_what_fails_is_not_remembered() -> None:
    remembered: Remembered[int] = Remembered(int, 3)
    with pytest.raises(ValueError, match="invalid literal"):
        remembered[b"x"]
    assert not remembered
