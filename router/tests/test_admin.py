"""The operators' port: alive, ready, status."""

import json

import pytest
from portico.admin import make_site, make_status_site
from twisted.internet.testing import StringTransport
from twisted.web.server import Site

from .support.wires import parse_response


class Router:
    """What the pages are made from."""

    def __init__(self) -> None:
        self.is_ready = True

    def status(self) -> dict[str, object]:
        return {"services": {"static": {"queued": 1}}, "name": "\u00e9"}

    def ready(self) -> bool:
        return self.is_ready


@pytest.fixture
def router() -> Router:
    return Router()


def ask(router: Router, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    site = make_site(router.status, router.ready, lambda: b"portico_waiting 0.0\n", lambda *asked: None)
    return ask_at(site, path, method)


def ask_at(site: Site, path: str, method: str) -> tuple[int, dict[str, str], bytes]:
    channel = site.buildProtocol(None)
    assert channel is not None
    transport = StringTransport()
    channel.makeConnection(transport)
    channel.dataReceived(f"{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    response, body = parse_response(transport.value())
    assert response.headers["Cache-Control"] == "no-store" or response.status >= 400
    return response.status, dict(response.headers), body


def test_alive(router: Router) -> None:
    status, headers, body = ask(router, "/healthz")
    assert (status, body) == (200, b"alive\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"


def test_ready_until_it_drains(router: Router) -> None:
    assert ask(router, "/readyz")[::2] == (200, b"ready\n")
    router.is_ready = False
    assert ask(router, "/readyz")[::2] == (503, b"draining\n")
    assert ask(router, "/healthz")[0] == 200  # it still turns


def test_status_is_json(router: Router) -> None:
    status, headers, body = ask(router, "/status")
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert body.endswith(b"\n")
    assert json.loads(body) == router.status()


def test_metrics_are_of_the_type_that_prometheus_asks_for(router: Router) -> None:
    status, headers, body = ask(router, "/metrics")
    assert (status, body) == (200, b"portico_waiting 0.0\n")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/stat", "/status2", "/x/status"])
def test_no_other_page(router: Router, path: str) -> None:
    assert ask(router, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_nothing_can_be_changed(router: Router, method: str) -> None:
    assert ask(router, "/status", method)[0] in (405, 501)


def test_who_may_only_look_can_do_nothing_else(router: Router) -> None:
    site = make_status_site(router.status)
    status, _, body = ask_at(site, "/status", "GET")
    assert (status, json.loads(body)) == (200, router.status())
    for path, method in [("/drain", "POST"), ("/undrain", "POST"), ("/metrics", "GET"), ("/", "GET"), ("/healthz", "GET")]:
        assert ask_at(site, path, method)[0] == 404
    assert ask_at(site, "/status", "POST")[0] in (405, 501)
