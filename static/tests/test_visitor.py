"""Who is logged in: told to those who are, asked quietly or not."""

import json
from typing import Any

PLACE = "/static/.login"


def told(answer: tuple[int, dict[str, str], bytes]) -> object:
    status, headers, body = answer
    assert status == 200 and headers["content-type"] == "application/json" and headers["cache-control"] == "no-store"
    return json.loads(body)


def test_it_asks_for_a_login(client: Any) -> None:
    assert client.ask(PLACE)[0] == 401
    assert client.ask(f"{PLACE}?x")[0] == 401
    assert client.ask("/static/%2elogin")[0] == 401


def test_it_names_the_user(client: Any, monkeypatch: Any) -> None:
    from staticsvc.visitor import Visitor
    from twisted.web.server import Request

    monkeypatch.setattr(Request, "user", "ünser".encode(), raising=False)
    assert told(client.ask(PLACE, "Authorization: yes")) == {"user": "ünser", "logins": True}
    assert told(client.ask(f"{PLACE}?quietly", "Authorization: yes")) == {"user": "ünser", "logins": True}
    assert client.ask(PLACE, "Authorization: yes", method="POST")[0] == 405
    assert client.ask(PLACE, "Authorization: yes", method="OPTIONS")[0] == 204
    assert Visitor.isLeaf


def test_quietly(client: Any) -> None:
    assert told(client.ask(f"{PLACE}?quietly")) == {"user": None, "logins": True}
    assert client.ask(f"{PLACE}?quietly", "Authorization: no")[0] == 401


def test_without_an_auth_service(make: Any) -> None:
    client = make(auth=False)
    assert told(client.ask(f"{PLACE}?quietly")) == {"user": None, "logins": False}
    assert client.ask(PLACE)[0] == 503


def test_no_file_is_hidden_by_it(client: Any, root: Any) -> None:
    (root / ".login").write_text("secret")
    assert b"secret" not in client.ask(PLACE, "Authorization: yes")[2]
