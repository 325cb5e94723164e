import pytest
from websocketsvc.refusals import Refusal


def test_encode_is_a_whole_answer() -> None:
    head, _, body = Refusal(404, "Nothing here: é.").encode().partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 404 Not Found"
    assert b"Connection: close" in lines
    assert b"Content-Length: %d" % len(body) in lines
    assert body == "Nothing here: é.\n".encode()


def test_upgrade_is_named_in_connection() -> None:
    lines = Refusal(426, "x", (("Upgrade", "websocket"),)).encode().split(b"\r\n")
    assert b"Upgrade: websocket" in lines
    assert b"Connection: close, Upgrade" in lines


@pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 426, 431, 503, 505])
def test_every_status_has_its_phrase(status: int) -> None:
    first = Refusal(status, "x").encode().split(b"\r\n")[0]
    assert first.startswith(b"HTTP/1.1 %d " % status) and first[13:].strip()
