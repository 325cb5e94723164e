"""The router put together: what it listens to, its status, and its operators' port."""

import socket
from pathlib import Path

import msgspec
import pytest

from .support.application import CONFIG, HEAD, Deployed, tunnel_to
from .support.reactor import HandReactor
from .support.wires import Inbox, parse_response


def test_it_listens_where_it_is_told_and_routes(reactor: HandReactor, deployed: Deployed) -> None:
    assert len(set(deployed.application.addresses)) == 2
    assert deployed.ask(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n", 0) == 404
    assert deployed.ask(b"GET /api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 1) == 502
    replica = deployed.replica()
    client = deployed.connect(HEAD)
    reactor.until(client.holds(b"a page"))
    client.sock.close()
    reactor.settle()
    reactor.until(lambda: len(deployed.lines) == 3)
    assert [line["service"] for line in deployed.lines] == [None, "api", "web"]
    replica.stopService()


def test_status(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()
    deployed.ask(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
    partial = deployed.connect(b"GET /")
    reactor.until(lambda: deployed.application.status()["waiting"] == 1)
    status = deployed.application.status()
    assert status["listeners"] == ["{}:{}".format(*at) for at in deployed.application.addresses]
    assert status["draining"] is False
    assert status["counts"] == {"accepted": 2, "answered 404": 1}
    services = status["services"]
    assert isinstance(services, dict)
    assert list(services) == ["api", "web"]
    assert services["web"]["replicas"] == [
        {"replica": "one", "state": "ready", "open": 0, "capacity": services["web"]["replicas"][0]["capacity"]}
    ]
    assert services["web"]["queued"] == 0
    assert services["api"]["target"] == "tcp"
    assert msgspec.json.encode(status)
    partial.sock.close()
    replica.stopService()


def test_the_operators_port(reactor: HandReactor, deployed: Deployed) -> None:
    def fetch(path: str) -> tuple[int, bytes]:
        inbox = Inbox(socket.create_connection(deployed.admin, timeout=5))
        inbox.sock.send(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        reactor.until(inbox.has_ended)
        response, body = parse_response(inbox.data)
        return response.status, body

    assert fetch("/healthz") == (200, b"alive\n")
    assert fetch("/readyz") == (200, b"ready\n")
    status, body = fetch("/status")
    assert status == 200
    assert msgspec.json.decode(body)["draining"] is False


def test_the_operators_port_drains(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()

    def post(path: str) -> int:
        inbox = Inbox(socket.create_connection(deployed.admin, timeout=5))
        body = b'{"service": "web", "replica": "one"}'
        head = f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n"
        inbox.sock.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        reactor.until(inbox.has_ended)
        return parse_response(inbox.data)[0].status

    assert post("/drain") == 200
    assert deployed.application.report().services["web"].replicas[0].state == "drained"
    assert post("/undrain") == 200
    assert deployed.application.report().services["web"].replicas[0].state == "ready"
    replica.stopService()
    reactor.settle()
    reactor.advance(0.2)
    assert post("/drain") == 404


def test_metrics_of_every_way_that_a_connection_goes(reactor: HandReactor, deployed: Deployed) -> None:
    replica = deployed.replica()
    server = socket.create_server(("127.0.0.1", 0))
    tunnelled = tunnel_to(deployed, server)
    client = deployed.connect(HEAD)
    reactor.until(client.holds(b"a page"))
    deployed.ask(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
    client.sock.send(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n")  # the service hands it back
    reactor.until(client.has_ended)
    before = deployed.application.report()
    assert [each.open for each in before.services["api"].replicas] == [1]
    tunnelled.sock.close()
    reactor.until(lambda: len(deployed.lines) == 4)

    reactor.advance(1)  # replicas tell their load now and then
    reactor.settle()
    admin = Inbox(socket.create_connection(deployed.admin, timeout=5))
    admin.sock.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    reactor.until(admin.has_ended)
    page = parse_response(admin.data)[1].decode()
    samples = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    lines = {name: float(value) for name, _, value in samples}
    assert lines["portico_accepted_total"] == 3
    assert lines["portico_returned_total"] == 1
    assert lines['portico_connections_total{how="handed over",replica="one",route="=/",service="web"}'] == 1
    (api,) = deployed.application.report().services["api"].replicas
    tcp = f'replica="{api.replica}",route="/api/",service="api"}}'
    assert lines['portico_connections_total{how="tcp",' + tcp] == 1
    assert lines['portico_bytes_total{direction="up",' + tcp] > len("GET /api/")
    why = 'why="no service owns this path"'
    assert lines['portico_answers_total{route="",service="",status="404",' + why + "}"] == 2
    assert lines['portico_open{replica="one",service="web"}'] == 0
    assert lines['portico_queued{service="api"}'] == 0
    assert lines["portico_decision_seconds_count"] == 2
    assert lines["portico_handover_seconds_count"] == 1
    for sock in (client.sock, admin.sock, server):
        sock.close()
    replica.stopService()


def test_counts_of_what_is_there_are_kept(deployed: Deployed) -> None:
    replica = deployed.replica()
    present = deployed.application.access.measures.present()
    assert present.routes == {"=/", "/api/"}
    assert present.replicas == {("web", "one"), ("api", "127.0.0.1:9")}
    replica.stopService()


def test_without_an_operators_port(reactor: HandReactor, folder: Path) -> None:
    deployed = Deployed(reactor, folder, CONFIG.replace('[admin]\naddress = "127.0.0.1:0"', ""))
    deployed.start()
    assert deployed.ask(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n") == 404
    deployed.stop()
    assert len(deployed.stopped) == 1


def test_a_port_in_use_is_said_before_anything_starts(deployed: Deployed, reactor: HandReactor, folder: Path) -> None:
    taken = "{}:{}".format(*deployed.application.addresses[0])
    second = Deployed(reactor, folder, CONFIG.replace("127.0.0.1:0", taken, 1))
    with pytest.raises(OSError, match=f"cannot listen on {taken}: Address already in use"):
        second.application.privilegedStartService()
