"""What only containers can show: isolation, true addresses, replicas that come and go, and a router that dies."""

import http.client
import uuid

import pytest
from websockets.sync.client import connect

from .support.compose import Compose, events, inside
from .support.confined import assert_confined
from .support.payload import MIB, Payload, digest_of_rest
from .support.site import Site, wait_for_answer
from .support.visit import PUBLIC

pytestmark = pytest.mark.containers

SERVICES = ["static", "uploads", "autobahn", "rooms", "txws", "authsvc"]


# -- isolation


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_network_and_no_rights(compose: Compose, service: str) -> None:
    container = compose.container(service)
    host = container.attrs["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert not container.attrs["NetworkSettings"]["Ports"]
    assert "eth0" not in inside(container, "import os; print(*os.listdir('/sys/class/net'))").split()
    assert_confined(container)


@pytest.mark.parametrize("service", ["gate", "router"])
def test_gate_and_router_have_no_rights_either(compose: Compose, service: str) -> None:
    assert_confined(compose.container(service))


def test_each_program_has_a_uid_of_its_own(compose: Compose) -> None:
    uids = {
        service: inside(compose.container(service), "import os; print(os.getuid())")
        for service in ["gate", "router", "static", "uploads", "autobahn", "authsvc"]
    }
    assert len(set(uids.values())) == len(uids), uids
    assert "0" not in uids.values()


def test_only_gate_publishes_a_port_and_only_on_loopback(compose: Compose) -> None:
    published = {
        container.labels["com.docker.compose.service"]: bindings
        for container in compose.containers()
        for bindings in container.attrs["HostConfig"]["PortBindings"].values()
    }
    assert published == {"gate": [{"HostIp": "127.0.0.1", "HostPort": str(compose.port)}]}


# -- addresses


def test_a_service_logs_the_address_of_the_client_and_not_the_router_s(compose: Compose, compose_site: Site) -> None:
    """A client in a container of its own on gate's network, which asks for a path that nobody else asks for."""
    mark = f"/static/{uuid.uuid4().hex}"
    ask = (
        "import http.client, sys\n"
        "connection = http.client.HTTPConnection('gate', 8080, timeout=10)\n"
        "connection.connect()\n"
        "print(connection.sock.getsockname()[0])\n"
        "connection.request('GET', sys.argv[1])\n"
        "connection.getresponse().read()\n"
    )
    output = compose.client.containers.run(
        "python:3.13-slim",
        ["python", "-Ic", ask, mark],
        network=f"{compose.project}_edge",
        labels={"com.docker.compose.project": compose.project},
        remove=True,
    )
    address = output.decode().strip()
    networks = compose.container("gate").attrs["NetworkSettings"]["Networks"]
    assert address != networks[f"{compose.project}_edge"]["IPAddress"]
    seen = [event["client"] for event in events(compose.container("static")) if event.get("uri") == mark]
    assert seen == [address]


# -- a router that dies


def test_what_is_open_goes_on_when_the_router_is_killed(compose: Compose, compose_site: Site) -> None:
    payload, path = Payload(1024 * MIB), f"/uploads/{uuid.uuid4().hex}.bin"
    upload = compose_site.http()
    assert payload.put(upload, path, compose_site.authorization).status == 201
    upload.close()

    download = compose_site.http()
    download.request("GET", path)
    answer = download.getresponse()
    begun = answer.read(10 * MIB)
    kept = http.client.HTTPConnection("127.0.0.1", compose.port, timeout=60)
    kept.request("PUT", f"{path}.second", headers={"Content-Length": "10", "Authorization": compose_site.authorization})
    kept.send(b"01234")
    with connect(compose_site.ws_url + "/ws/autobahn/echo", open_timeout=10) as websocket:
        websocket.send("before")
        assert websocket.recv(timeout=10) == "before"
        restarts = router_restarts(compose)
        compose.crash("router")

        websocket.send("without a router")
        assert websocket.recv(timeout=10) == "without a router"
        kept.send(b"56789")
        assert kept.getresponse().status == 201
        assert digest_of_rest(answer, begun) == (payload.size, payload.sha256)

        wait_for_answer("127.0.0.1", compose.port)
        compose.wait_healthy("router")
        assert router_restarts(compose) == restarts + 1
        websocket.send("with a new router")
        assert websocket.recv(timeout=10) == "with a new router"
    kept.close()
    download.close()


def test_when_gate_is_restarted_the_router_follows_it(compose: Compose, compose_site: Site) -> None:
    restarts = router_restarts(compose)
    compose.container("gate").restart(timeout=5)
    wait_for_answer("127.0.0.1", compose.port, 60)
    compose.wait_healthy("router")
    assert router_restarts(compose) == restarts + 1
    assert compose_site.connect().get(f"/static/{PUBLIC[0].as_posix()}").status == 200


def router_restarts(compose: Compose) -> int:
    container = compose.container("router")
    count: int = container.attrs["RestartCount"]
    return count
