import pytest
from websocketsvc import codes


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
)
def test_may_be_sent(code: int) -> None:
    assert codes.may_be_sent(code)


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_may_not_be_sent(code: int) -> None:
    assert not codes.may_be_sent(code)
    with pytest.raises(ValueError, match=str(code)):
        codes.close_payload(code)


def test_payload_is_code_and_reason() -> None:
    assert codes.close_payload(1001, "going away") == b"\x03\xe9going away"
    assert codes.close_payload(1000) == b"\x03\xe8"


def test_a_reason_of_the_full_length_stays() -> None:
    assert codes.close_payload(1000, "x" * 123) == b"\x03\xe8" + b"x" * 123


def test_a_longer_reason_is_cut_between_characters() -> None:
    payload = codes.close_payload(1000, "x" * 122 + "€")
    assert payload == b"\x03\xe8" + b"x" * 122


def test_a_reason_that_has_no_encoding_is_still_text() -> None:
    assert codes.close_payload(1000, "\ud800")[2:] == b"?"
