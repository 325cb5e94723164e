"""Replicas in containers: they share the load at once, leave without a failed request, and stand in for each other."""

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
from .support.site import Site
from .support.visit import PUBLIC

pytestmark = pytest.mark.containers


PAGE = f"/static/{PUBLIC[0].as_posix()}"


def replicas_that_answer(compose: Compose, site: Site, requests: int) -> set[str]:
    """Names of the static containers that have answered one of so many fresh connections."""
    mark = f"{PAGE}?{uuid.uuid4().hex}"
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

        with Load("127.0.0.1", compose.port, PAGE) as load:
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
            assert connection.get(PAGE).status == 200
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
