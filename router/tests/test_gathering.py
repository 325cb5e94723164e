"""The parent's operators' port: one answer of all workers' answers."""

import json
from types import SimpleNamespace

import pytest
from portico import gathering
from portico.gathering import LARGEST_BODY, make_gathering_site, make_gathering_status_site
from twisted.internet.testing import StringTransport

from .support.reactor import HandReactor
from .support.wires import as_reactor, parse_response

Answer = tuple[int, bytes]
Asked = tuple[str, str, str, bytes | None, str | None]


class Parent:
    """Two workers, whose answers the test sets."""

    def __init__(self, reactor: HandReactor) -> None:
        self.reactor = reactor
        self.answers: list[Answer] = [(200, b"alive\n"), (200, b"alive\n")]
        self.asked: list[Asked] = []
        self.changes: list[int] = []

    def changed(self) -> None:
        self.changes.append(len(self.asked))

    def fetch(self, admin: str, path: str, method: str, body: bytes | None, content_type: str | None) -> Answer:
        self.asked.append((admin, path, method, body, content_type))
        return self.answers[int(admin[-1])]

    def ask(self, path: str, method: str = "GET", body: bytes = b"", fields: str = "", look: bool = False) -> Answer:
        workers = [
            SimpleNamespace(number=number, status=lambda number=number: {"worker": number, "pid": 9, "state": "ready"})
            for number in (0, 1)
        ]
        reactor = as_reactor(self.reactor)
        where = "unix:/run/{}".format
        if look:
            site = make_gathering_status_site(workers, where, reactor)  # type: ignore[arg-type]
        else:
            site = make_gathering_site(workers, where, reactor, self.changed)  # type: ignore[arg-type]
        channel = site.buildProtocol(None)
        assert channel is not None
        transport = StringTransport()
        channel.makeConnection(transport)
        head = f"{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
        channel.dataReceived(head.encode() + body)
        self.reactor.advance(0)
        response, answer = parse_response(transport.value())
        self.headers = dict(response.headers)
        return response.status, answer


@pytest.fixture
def parent(reactor: HandReactor, monkeypatch: pytest.MonkeyPatch) -> Parent:
    parent = Parent(reactor)
    monkeypatch.setattr(gathering, "fetch", parent.fetch)
    return parent


@pytest.mark.parametrize("page", ["/healthz", "/readyz"])
def test_well_when_all_are(parent: Parent, page: str) -> None:
    assert parent.ask(page) == (200, b"alive\n")
    assert [asked[:3] for asked in parent.asked] == [(f"unix:/run/{number}", page, "GET") for number in (0, 1)]
    assert parent.headers["Cache-Control"] == "no-store"
    parent.answers[1] = (503, b"draining\n")
    assert parent.ask(page) == (503, b"draining\n")
    parent.answers[1] = (0, b"no answer from unix:/run/1: gone")
    assert parent.ask(page) == (503, b"no answer from unix:/run/1: gone\n")


def test_status(parent: Parent) -> None:
    parent.answers = [(200, b'{"counts":{"accepted":2}}'), (200, b'{"counts":{"accepted":3}}')]
    status, body = parent.ask("/status")
    assert status == 200
    assert parent.headers["Content-Type"] == "application/json"
    found = json.loads(body)
    assert found["counts"] == {"accepted": 5}
    assert [worker["worker"] for worker in found["workers"]] == [0, 1]


def test_status_and_metrics_of_those_that_answer(parent: Parent) -> None:
    parent.answers = [(0, b"no answer"), (200, b'{"counts":{"accepted":3}}')]
    assert json.loads(parent.ask("/status")[1])["counts"] == {"accepted": 3}
    parent.answers = [(200, b"portico_waiting 1.0\n"), (0, b"no answer")]
    status, body = parent.ask("/metrics")
    assert (status, body.splitlines()[-1]) == (200, b'portico_waiting{worker="0"} 1.0')
    assert parent.headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_a_page_that_is_nonsense(parent: Parent) -> None:
    parent.answers = [(200, b"{"), (200, b"{}")]
    assert parent.ask("/status")[0] == 500


def test_everything_else_is_passed_on_and_the_worst_answer_told(parent: Parent) -> None:
    parent.answers = [(409, b'{"why":"no"}'), (200, b'{"why":"yes"}')]
    fields = "Content-Type: application/json\r\n"
    assert parent.ask("/replicas/a%20b?x=1", "POST", b'{"drain":true}', fields) == (409, b'{"why":"no"}')
    assert parent.headers["Content-Type"] == "application/json"
    assert parent.asked == [
        (f"unix:/run/{number}", "/replicas/a%20b?x=1", "POST", b'{"drain":true}', "application/json") for number in (0, 1)
    ]
    parent.answers = [(200, b"yes\n"), (0, b"no answer")]
    assert parent.ask("/x", "POST", b"", fields) == (503, b"no answer\n")
    parent.answers = [(404, b"no page\n"), (404, b"no page\n")]
    assert parent.ask("/x") == (404, b"no page\n")


def test_a_body_too_large(parent: Parent) -> None:
    fields = "Content-Type: application/json\r\n"
    assert parent.ask("/x", "POST", b"x" * LARGEST_BODY, fields)[0] == 200
    parent.asked.clear()
    assert parent.ask("/x", "POST", b"x" * (LARGEST_BODY + 1), fields) == (413, b"too large\n")
    assert parent.asked == []


@pytest.mark.parametrize("answers", [(200, 200), (200, 404), (0, 200)])
def test_what_is_drained_is_looked_at_after_each_drain(parent: Parent, answers: tuple[int, int]) -> None:
    """Once all have answered, and whatever they did."""
    parent.answers = [(status, b"{}") for status in answers]
    for page in ("/drain", "/undrain"):
        parent.ask(page, "POST", b"{}", "Content-Type: application/json\r\n")
    parent.ask("/status")
    assert parent.changes == [2, 4]


@pytest.mark.parametrize(
    ("fields", "status"),
    [("", 415), ("Content-Type: text/plain\r\n", 415), ("Content-Type: application/json\r\nOrigin: http://a\r\n", 403)],
)
def test_what_a_web_page_may_have_sent_goes_to_no_worker(parent: Parent, fields: str, status: int) -> None:
    assert parent.ask("/drain", "POST", b"{}", fields)[0] == status
    assert parent.asked == []


def test_who_may_only_look_reaches_no_worker_with_anything_else(parent: Parent) -> None:
    for method, path in [("POST", "/drain"), ("POST", "/status"), ("GET", "/metrics"), ("GET", "/"), ("HEAD", "/status")]:
        assert parent.ask(path, method, b"{}", "Content-Type: application/json\r\n", look=True)[0] == 404
    assert parent.asked == []
    parent.answers = [(200, b"{}"), (200, b"{}")]
    status, body = parent.ask("/status", look=True)
    assert (status, [worker["worker"] for worker in json.loads(body)["workers"]]) == (200, [0, 1])
