"""Somebody else's server, by tcp with `split`: the Flask application of `dynamic/`, in a container and without one."""

import json
import time
from collections.abc import Iterator

import pytest

from .support.compose import Compose, inside
from .support.confined import assert_confined
from .support.deployments import Deployment
from .support.load import Load
from .support.site import ROOT, Site

ASK_AS_STRANGER = (
    "import http.client, json, sys\n"
    "connection = http.client.HTTPConnection('gate', 8080, timeout=10)\n"
    "connection.connect()\n"
    "connection.request('GET', '/app/asked', headers={'X-Forwarded-For': '192.0.2.1'})\n"
    "asked = json.load(connection.getresponse())\n"
    "print(json.dumps([connection.sock.getsockname()[0], asked['client']]))\n"
)
REACH = (
    "import socket, sys\n"
    "try: socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)\n"
    "except OSError: print('no')\n"
    "else: print('yes')\n"
)


@pytest.mark.containers
def test_without_the_profile_the_service_is_away_and_the_rest_is_not(compose: Compose, compose_site: Site) -> None:
    assert compose.containers("app") == []
    assert compose_site.get("/app/").status_code == 503
    assert compose_site.get("/").status_code == 200


@pytest.fixture(scope="module")
def dynamic(compose: Compose) -> Iterator[Compose]:
    """The containers of the site, and the profile on top of them."""
    try:
        compose.call("--profile", "dynamic", "up", "--build", "--wait", "--quiet-pull", "--no-recreate", seconds=300)
        yield compose
    finally:
        compose.call("--profile", "dynamic", "rm", "--stop", "--force", "app")


@pytest.fixture(params=["process", pytest.param("compose", marks=pytest.mark.containers)])
def app(request: pytest.FixtureRequest) -> Site:
    if request.param == "process":
        deployment: Deployment = request.getfixturevalue("tcp_deployment")
        return deployment.site("plain")
    compose: Compose = request.getfixturevalue("dynamic")
    site = Site("127.0.0.1", compose.port, "")
    wait_until_it_answers(site)
    return site


def wait_until_it_answers(site: Site, seconds: float = 20.0) -> None:
    """The router looks for the name again every 2 seconds."""
    deadline = time.monotonic() + seconds
    while site.get("/app/").status_code != 200:
        assert time.monotonic() < deadline


def test_the_page_and_its_links(app: Site) -> None:
    page = app.get("/app/")
    assert page.status_code == 200
    assert "<h1>Hello</h1>" in page.text
    assert 'href="/app/count"' in page.text
    assert 'action="/app/greet"' in page.text
    assert app.get("/app").url == f"{app.url}/app/"
    assert app.get("/app/no-such-page").status_code == 404


def test_a_form_is_posted_and_answered_with_a_redirect(app: Site) -> None:
    answer = app.ask("POST", "/app/greet", data={"name": "Zoë & <co>"})
    assert [each.status_code for each in answer.history] == [303]
    assert answer.url.startswith(f"{app.url}/app/?name=")
    assert "<h1>Hello, Zoë &amp; &lt;co&gt;</h1>" in answer.text


def test_a_response_in_pieces_comes_in_pieces(app: Site) -> None:
    with app.get("/app/count", stream=True) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert list(answer.iter_content(None)) == [b"%d\n" % number for number in range(1, 11)]


def test_what_the_application_is_told(app: Site) -> None:
    asked = app.get("/app/asked?x=%20y").json()
    assert (asked["method"], asked["prefix"], asked["path"]) == ("GET", "/app", "/asked")
    assert asked["url"] == f"{app.url}/app/asked?x=%20y"


def test_one_connection_asks_the_application_and_other_services(app: Site) -> None:
    with app.connect() as connection:
        for path in ("/app/", "/static/hello.txt", "/app/asked", "/", "/app/"):
            assert connection.get(path).status == 200


@pytest.mark.containers
def test_the_application_is_told_the_address_that_the_router_has_seen(dynamic: Compose) -> None:
    wait_until_it_answers(Site("127.0.0.1", dynamic.port, ""))
    output = dynamic.client.containers.run(
        "python:3.13-slim",
        ["python", "-Ic", ASK_AS_STRANGER],
        network=f"{dynamic.project}_edge",
        labels={"com.docker.compose.project": dynamic.project},
        remove=True,
    )
    own, told = json.loads(output)
    assert told == own


@pytest.mark.containers
def test_it_has_a_network_that_leads_to_the_router_alone(dynamic: Compose) -> None:
    container = dynamic.container("app")
    assert_confined(container)
    assert inside(container, "import os; print(os.getuid(), os.getgid())") == "20005 20005"
    assert not container.attrs["HostConfig"]["PortBindings"]
    networks = container.attrs["NetworkSettings"]["Networks"]
    assert set(networks) == {f"{dynamic.project}_backend"}
    assert dynamic.client.networks.get(f"{dynamic.project}_backend").attrs["Internal"] is True
    routes = inside(container, "print(open('/proc/net/route').read())").splitlines()[1:]
    assert [line for line in routes if line.split()[1] == "00000000"] == []  # no way out
    address = next(iter(networks.values()))["IPAddress"]
    from_gates_other_network = dynamic.client.containers.run(
        "python:3.13-slim", ["python", "-Ic", REACH, address, "8000"], network=f"{dynamic.project}_edge", remove=True
    )
    assert from_gates_other_network.decode().strip() == "no"
    assert inside(dynamic.container("gate"), REACH.replace("sys.argv[1]", "'app'").replace("sys.argv[2]", "8000")) == "yes"


@pytest.mark.containers
def test_two_replicas_share_the_load_and_one_is_stopped_without_a_failed_request(dynamic: Compose) -> None:
    site = Site("127.0.0.1", dynamic.port, "")
    scale(dynamic, 2)
    wait_until_it_answers(site)
    deadline, replicas = time.monotonic() + 20, set[str]()
    while len(replicas) < 2:
        replicas.add(site.get("/app/asked").json()["replica"])
        assert time.monotonic() < deadline, replicas
    with (
        Load("127.0.0.1", dynamic.port, "/app/asked") as gets,
        Load("127.0.0.1", dynamic.port, "/app/asked", method="POST") as posts,  # which the router must not repeat
    ):
        time.sleep(1)
        before = [load.answered for load in (gets, posts)]
        scale(dynamic, 1)
        time.sleep(1)
    assert gets.failures == posts.failures == []
    assert all(0 < began < load.answered for began, load in zip(before, (gets, posts), strict=True))


def scale(compose: Compose, replicas: int) -> None:
    compose.call(
        "--profile", "dynamic", "up", "--no-build", "--no-recreate", "--wait", "--scale", f"app={replicas}", seconds=120
    )


def test_the_image_takes_only_what_is_locked() -> None:
    dockerfile = (ROOT / "dynamic/Dockerfile").read_text()
    assert "--require-hashes" in dockerfile
    assert "requirements/dynamic.txt" in dockerfile
    assert not dockerfile.startswith("# syntax")
