"""Logins before WebSockets, end to end: a router, both services and an auth service, each a process of its own."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from .logins.clients import User
from .logins.refusals import answer_to
from .support.one_process import OneProcess
from .support.services import run_services
from .support.site import Site, first_password, free_port, json_lines

ROUTES = """
listeners = [{{address = "127.0.0.1:{port}"}}]
routes = [{{prefix = "/ws/autobahn/", service = "autobahn"}}, {{prefix = "/ws/txws/", service = "txws"}}]
limits = {{queue_timeout = 30.0}}
services.autobahn = {{target = "handoff", folder = "{folder}/autobahn"}}
services.txws = {{target = "handoff", folder = "{folder}/txws"}}
"""
RULES = """
[[rules]]
prefix = "/ws/txws/"
groups = ["nobody"]
"""
OPEN, FORBIDDEN = "/ws/autobahn/echo", "/ws/txws/echo"


@dataclass(frozen=True)
class Chat:
    """What a test knows of it."""

    site: Site
    authsvc: OneProcess
    user: User

    def says(self, path: str, headers: dict[str, str]) -> int:
        """The status of an upgrade; where it is 101, what is sent comes back."""
        try:
            with connect(self.site.ws_url + path, additional_headers=headers, open_timeout=20) as websocket:
                websocket.send("hello")
                assert websocket.recv(20) == "hello"
        except InvalidStatus as error:
            return error.response.status_code
        return 101

    def digest(self, path: str, algorithm: str = "SHA-256", user: User | None = None) -> dict[str, str]:
        """A right answer to a new challenge."""
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        answer = requests.get(
            self.site.url + path, headers={**upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}, timeout=20
        )
        assert answer.status_code == 401
        (nonce, *_) = re.findall(r'nonce="([^"]+)"', answer.headers["WWW-Authenticate"])
        return answer_to(nonce, algorithm, user or self.user, path)

    def decisions(self) -> list[tuple[object, ...]]:
        """What the auth service has decided so far."""
        told = ("through", "method", "outcome", "request")
        return [tuple(event[name] for name in told) for event in json_lines(self.authsvc.log) if "outcome" in event]


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    folder, port = tmp_path_factory.mktemp("ws"), free_port()
    (folder / "rules.toml").write_text(RULES)
    services = {
        "authsvc": {"PORTICO_OPTION_RULES": str(folder / "rules.toml")},
        "autobahn": {"PORTICO_OPTION_LOGIN": "/ws/autobahn/"},
        "txws": {"PORTICO_OPTION_LOGIN": "/ws/txws/"},
    }
    with ExitStack() as stack:
        started = run_services(folder, port, ROUTES.format(folder=folder, port=port), services, stack)
        site = Site("127.0.0.1", port, first_password(started["authsvc"].log))
        yield Chat(site, started["authsvc"], User(*site.login))


def test_who_knows_the_password_talks(chat: Chat) -> None:
    before = len(chat.decisions())
    assert chat.says(OPEN, {"Authorization": chat.site.authorization}) == 101
    for algorithm in ("SHA-256", "MD5"):
        assert chat.says(OPEN, chat.digest(OPEN, algorithm)) == 101
    ways = ["basic", "digest", "digest"]
    assert chat.decisions()[before:] == [("autobahn", way, "allowed", f"GET {OPEN}") for way in ways]


def test_nobody_else_does(chat: Chat) -> None:
    assert chat.says(OPEN, {}) == 401
    assert chat.says(OPEN, {"Authorization": "Basic YWRtaW46d3Jvbmc="}) == 401
    assert chat.says(OPEN, chat.digest(OPEN, user=User("admin", "wrong"))) == 401
    used = chat.digest(OPEN)
    assert chat.says(OPEN, used) == 101
    assert chat.says(OPEN, used) == 401
    assert chat.says(OPEN, chat.digest(FORBIDDEN)) == 401  # an answer is for its own path


def test_the_rules_hold_for_websockets(chat: Chat) -> None:
    assert chat.says(FORBIDDEN, {}) == 401
    assert chat.says(FORBIDDEN, {"Authorization": chat.site.authorization}) == 403
    assert chat.says(FORBIDDEN, chat.digest(FORBIDDEN)) == 403


def test_a_strangers_page_does_not_speak_for_the_user(chat: Chat) -> None:
    login = {"Authorization": chat.site.authorization}
    assert chat.says(OPEN, {**login, "Origin": "http://elsewhere.example"}) == 403
    assert chat.says(OPEN, {**login, "Origin": chat.site.url}) == 101


def test_without_an_auth_service_nobody_gets_in_and_who_is_in_stays(chat: Chat) -> None:
    """The last of these tests, as the auth service does not come back."""
    login = {"Authorization": chat.site.authorization}
    with connect(chat.site.ws_url + OPEN, additional_headers=login, open_timeout=20) as websocket:
        chat.authsvc.stop()
        assert chat.says(OPEN, login) == 503
        assert chat.says(OPEN, {}) == 503
        websocket.send("still here")
        assert websocket.recv(20) == "still here"
