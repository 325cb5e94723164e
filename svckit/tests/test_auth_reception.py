"""The reception by itself; what it answers to whom is tested with a resource behind it, in test_auth_protect."""

import base64
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from svckit.auth import SCHEMES, Asked, AuthUnavailable, NoEntry, Reception, Terms, TooManyTries, receive
from svckit.auth.nonce import NonceKey, open_nonce
from svckit.auth.reception import address_text
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

KEY = NonceKey(b"k" * 32)


class Client:
    away = False
    schemes: tuple[str, ...] = SCHEMES
    bound = False

    async def terms(self) -> Terms:
        if self.away:
            raise AuthUnavailable("nobody there")
        return Terms(KEY, ("MD5",), self.schemes, self.bound)


def asked(*pairs: bytes) -> Asked:
    return Asked(b"GET", b"/x", [b"Basic " + base64.b64encode(pair) for pair in pairs], b"192.0.2.1")


def now(awaited: Awaitable[Any]) -> Any:
    found: list[Any] = []
    Deferred.fromCoroutine(awaited).addBoth(found.append)  # type: ignore[arg-type]
    assert found, "it waits"
    return found[0]


@pytest.fixture
def reception() -> Reception:
    """One for users by their names, that knows alice."""
    made = receive(Path("/nowhere"), Clock())
    made.client = Client()  # type: ignore[assignment]
    for checker in made.portal.checkers.values():
        checker.requestAvatarId = InMemoryUsernamePasswordDatabaseDontUse(alice=b"wonderland").requestAvatarId  # type: ignore[method-assign]
    return made


def test_a_user_by_name(reception: Reception) -> None:
    assert now(reception.user_of(asked(b"alice:wonderland"))) == b"alice"


@pytest.mark.parametrize("brought", [(), (b"alice:wrong",), (b"bob:wonderland",), (b"alice",), (b"alice:wonderland",) * 2])
def test_nobody_else(reception: Reception, brought: tuple[bytes, ...]) -> None:
    found = now(reception.user_of(asked(*brought)))
    assert isinstance(found, NoEntry)
    assert found.status == 401
    assert [(name, value.split(b" ")[0]) for name, value in found.headers] == [
        (b"WWW-Authenticate", b"Digest"),
        (b"WWW-Authenticate", b"Basic"),
    ]


@pytest.mark.parametrize("schemes", [("basic",), ("digest",), ("basic", "digest")])
def test_the_schemes_are_those_of_the_auth_service_in_its_order(reception: Reception, schemes: tuple[str, ...]) -> None:
    reception.client.schemes = schemes  # type: ignore[attr-defined]
    found = now(reception.user_of(asked()))
    assert [value.split(b" ")[0].lower().decode() for _, value in found.headers] == list(schemes)


def test_a_scheme_that_is_not_offered_is_not_taken(reception: Reception) -> None:
    reception.client.schemes = ("digest",)  # type: ignore[attr-defined]
    found = now(reception.user_of(asked(b"alice:wonderland")))
    assert found.status == 401
    assert all(value.startswith(b"Digest ") for _, value in found.headers)


@pytest.mark.parametrize("bound", [False, True])
def test_nonces_are_bound_to_the_client_where_the_auth_service_says_so(reception: Reception, bound: bool) -> None:
    reception.client.bound = bound  # type: ignore[attr-defined]
    (digest, _) = now(reception.user_of(asked())).headers
    nonce = digest[1].partition(b'nonce="')[2].partition(b'"')[0]
    assert open_nonce(nonce, b"portico", [KEY], b"192.0.2.1").at_home is bound
    assert open_nonce(nonce, b"portico", [KEY], b"192.0.2.2").at_home is False


def test_nobody_to_ask(reception: Reception) -> None:
    reception.client.away = True  # type: ignore[attr-defined]
    found = now(reception.user_of(asked()))
    assert (found.status, dict(found.headers)) == (503, {b"Retry-After": b"2"})


def test_the_wait_is_the_throttles(reception: Reception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def too_many(self: Portal, *_: object) -> None:
        raise TooManyTries(17)

    monkeypatch.setattr(Portal, "login", too_many)
    found = now(reception.user_of(asked(b"alice:wonderland")))
    assert (found.status, dict(found.headers)) == (429, {b"Retry-After": b"17"})


def test_what_is_asked_shows_no_credentials() -> None:
    assert "Basic" not in repr(asked(b"alice:wonderland"))


def test_the_text_of_an_address() -> None:
    assert address_text(IPv4Address("TCP", "192.0.2.1", 1)) == b"192.0.2.1"
    assert address_text(UNIXAddress(None)) == b""
    assert address_text(None) == b""
