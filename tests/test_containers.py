"""What only containers can show: isolation, true addresses, replicas that come and go, and a router that dies."""

import http.client
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count

import pytest
import requests
from docker.models.containers import Container
from requests.auth import HTTPBasicAuth, HTTPDigestAuth
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .support.compose import Compose, call_inside, events, inside
from .support.load import Load
from .support.payload import MIB, Payload, digest_of_rest
from .support.site import ROOT, Site, wait_for_answer

pytestmark = pytest.mark.containers

SERVICES = ["static", "uploads", "autobahn", "rooms", "txws", "authsvc"]
PUBLIC = "/static/" + next(
    path.relative_to(ROOT / "static/files").as_posix()
    for path in sorted((ROOT / "static/files").rglob("*"))
    if path.is_file() and "private" not in path.parts and not path.name.startswith(".")
)


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


def assert_confined(container: Container) -> None:
    host = container.attrs["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Privileged"] is False
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["Init"] is True
    status = inside(container, "print(open('/proc/self/status').read())")
    rights = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(rights["CapEff"], 16) == 0
    assert int(rights["CapBnd"], 16) == 0
    assert rights["NoNewPrivs"] == "1"


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


# -- replicas


def replicas_that_answer(compose: Compose, site: Site, requests: int) -> set[str]:
    """Names of the static containers that have answered one of so many fresh connections."""
    mark = f"{PUBLIC}?{uuid.uuid4().hex}"
    for _ in range(requests):
        with site.connect() as connection:
            assert connection.get(mark, Connection="close").status == 200
    return {
        str(container.name)
        for container in compose.containers("static")
        if any(event.get("uri") == mark for event in events(container))
    }


def test_replicas_share_the_load_at_once_and_leave_without_a_failed_request(compose: Compose, compose_site: Site) -> None:
    try:
        compose.scale("static", 3)
        healthy = time.monotonic()
        reached: set[str] = set()
        while len(reached) < 3 and time.monotonic() - healthy < 1:
            reached |= replicas_that_answer(compose, compose_site, 12)
        assert reached == {f"{compose.project}-static-{number}" for number in (1, 2, 3)}

        with Load("127.0.0.1", compose.port, PUBLIC) as load:
            time.sleep(1)
            before = load.answered
            compose.scale("static", 1)
            during = load.answered
            time.sleep(1)
        assert load.failures == []
        assert 0 < before < during < load.answered
        assert len(compose.containers("static")) == 1
    finally:
        compose.scale("static", 1)


def test_a_websocket_is_cut_at_the_end_of_the_drain_time_and_not_before(compose: Compose, compose_site: Site) -> None:
    url = compose_site.ws_url + "/ws/autobahn/echo"
    compose.scale("autobahn", 2)
    wait_for_replicas(compose, "autobahn", 2)
    try:
        with ExitStack() as stack:
            websockets = [stack.enter_context(connect(url, open_timeout=10)) for _ in range(4)]
            scaling = stack.enter_context(ThreadPoolExecutor(1)).submit(compose.scale, "autobahn", 1)
            wait_for_one_socket(compose.containers("autobahn")[0])
            for websocket in websockets:
                websocket.send("still here")
                assert websocket.recv(timeout=5) == "still here"
            assert not scaling.done()
            scaling.result()
            codes = sorted(str(code_of_end(websocket)) for websocket in websockets)
            assert codes == ["1001", "1001", "None", "None"]  # least connections had given two to each replica
    finally:
        compose.scale("autobahn", 1)


def wait_for_replicas(compose: Compose, service: str, replicas: int, seconds: float = 10.0) -> None:
    """Until the router knows so many."""
    deadline = time.monotonic() + seconds
    while True:
        output = call_inside(compose.container("router"), "portico", "status", "--json")
        if len(json.loads(output)["services"][service]["replicas"]) == replicas:
            return
        assert time.monotonic() < deadline, output


def wait_for_one_socket(container: Container, seconds: float = 15.0) -> None:
    """Until one replica alone has a socket in the folder that it shares with this container: the others drain."""
    deadline = time.monotonic() + seconds
    look = "import os; print(*(name for name in os.listdir('/run/portico/autobahn') if name.endswith('.sock')))"
    while len(inside(container, look).split()) != 1:
        assert time.monotonic() < deadline, "no replica began to drain"


def code_of_end(websocket: ClientConnection) -> int | None:
    """The close code that the peer has sent, or None if the connection still works."""
    try:
        websocket.send("and now")
        assert websocket.recv(timeout=5) == "and now"
    except ConnectionClosed:
        return websocket.close_code
    return None


def test_a_service_without_replicas_is_503_until_one_is_back(compose: Compose, compose_site: Site) -> None:
    compose.call("stop", "uploads")
    try:
        with compose_site.connect() as connection:
            answer = connection.get("/uploads/anything")
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
            assert connection.ends()
        with compose_site.connect() as connection:
            assert connection.get("/").status == 200
    finally:
        compose.call("up", "--no-build", "--wait", "uploads", seconds=120)
    with compose_site.connect() as connection:
        assert connection.get("/uploads/no-such-upload").status == 404


def test_without_the_auth_service_a_protected_page_is_503(compose: Compose, compose_site: Site) -> None:
    compose.call("stop", "authsvc")
    try:
        with compose_site.connect() as connection:
            answer = connection.get("/static/private/", Authorization="Basic YWRtaW46eA==")
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
        with compose_site.connect() as connection:
            assert connection.get(PUBLIC).status == 200
    finally:
        compose.call("up", "--no-build", "--wait", "authsvc", seconds=120)


def test_two_replicas_of_the_auth_service_stand_in_for_each_other(compose: Compose, compose_site: Site) -> None:
    """Every login is a new connection; no login is refused while a replica goes, and no answer is good twice."""
    page = f"{compose_site.url}/static/private/"

    def log_in(number: int) -> int:
        scheme = (HTTPDigestAuth, HTTPBasicAuth)[number % 2]
        return requests.get(page, auth=scheme("admin", compose_site.password), timeout=20).status_code

    compose.scale("static", 2)
    compose.scale("authsvc", 2)
    try:
        assert {log_in(number) for number in range(30)} == {200}
        answered = requests.get(page, auth=HTTPDigestAuth("admin", compose_site.password), timeout=20)
        replay = {"Authorization": answered.request.headers["Authorization"]}
        assert [requests.get(page, headers=replay, timeout=20).status_code for _ in range(6)] == [401] * 6
        with ThreadPoolExecutor(1) as pool:
            going = pool.submit(compose.scale, "authsvc", 1)
            statuses = {log_in(0)}
            for number in count(1):
                statuses.add(log_in(number))
                if going.done():
                    break
            going.result()
        assert statuses == {200}
        assert requests.get(page, headers=replay, timeout=20).status_code == 401
    finally:
        compose.scale("authsvc", 1)
        compose.scale("static", 1)


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
    assert compose_site.connect().get(PUBLIC).status == 200


def router_restarts(compose: Compose) -> int:
    container = compose.container("router")
    count: int = container.attrs["RestartCount"]
    return count
