"""What the router remembers of requests: nothing that would be decided otherwise, nothing secret, and not for ever."""

import pytest
from portico.core import remembered
from portico.core.remembered import HEAD_SIZE, HEADS, Remembered

REQUEST = b"GET /static/x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nAccept: */*\r\nUser-Agent: x/1\r\n\r\n"


def test_a_request_is_remembered_until_it_is_forgotten() -> None:
    heads: Remembered[str] = Remembered()
    assert heads.find(REQUEST) is None
    heads.add(REQUEST, "static")
    assert heads.find(REQUEST) == "static"
    assert heads.find(REQUEST[:-1]) is heads.find(REQUEST + b"x") is None
    heads.forget()
    assert heads.find(REQUEST) is None


@pytest.mark.parametrize(
    "secret",
    [
        b"Authorization: Basic YWRtaW46eA==",
        b"authorization: x",
        b"Proxy-Authorization: x",
        b"Cookie: a=b",
        b"X-Api-Key: x",
        b"X-CSRF-Token: x",
        b"X-Session: x",
        b"X-JWT: x",
        b"X-Credential: x",
        b"X-Pwd: x",
    ],
)
def test_what_may_be_secret_is_not(secret: bytes) -> None:
    heads: Remembered[str] = Remembered()
    request = REQUEST.replace(b"Accept: */*", secret)
    heads.add(request, "static")
    assert heads.find(request) is None


@pytest.mark.parametrize("target", [b"/x?a=b", b"http://admin:pw@h/x", b"/signed/x"])
def test_nor_such_targets(target: bytes) -> None:
    heads: Remembered[str] = Remembered()
    request = REQUEST.replace(b"/static/x", target)
    heads.add(request, "static")
    assert heads.find(request) is None


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "HEADS", 3)
    heads: Remembered[int] = Remembered()
    requests = [REQUEST.replace(b"/x", b"/%d" % number) for number in range(4)]
    for number, request in enumerate(requests):
        heads.add(request, number)
    assert [heads.find(request) for request in requests] == [None, None, None, 3]
    long = REQUEST.replace(b"x/1", b"x" * HEAD_SIZE)
    heads.add(long, 9)
    assert heads.find(long) is None
    assert HEADS * HEAD_SIZE <= 1 << 18
