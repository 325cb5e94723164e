"""The whole behaviour suite with the static service replaced by the ASGI example, and what only concerns the examples."""

import http.client
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import connect

from .support.asgi import EXAMPLES, configuration, service, with_asgi_files
from .support.deployments import Deployment
from .support.one_process import OneProcess
from .support.site import Site, free_port, wait_for_listener
from .test_behaviour import *  # noqa: F403  # their tests and fixtures, which ask for `site`: here the one below
from .test_behaviour_kept import *  # noqa: F403
from .test_behaviour_logins import *  # noqa: F403


@pytest.fixture(scope="module")
def with_asgi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with ExitStack() as stack:
        yield with_asgi_files(tmp_path_factory.mktemp("asgi"), stack)


@pytest.fixture(scope="module", params=["plain", "tls+proxy"])
def site(request: pytest.FixtureRequest, with_asgi: Deployment) -> Site:
    return with_asgi.site(request.param)


def test_it_is_the_example_that_answers(site: Site) -> None:
    connection = site.http()
    connection.request("GET", "/static/hello.txt")
    assert connection.getresponse().getheader("server") == "uvicorn"
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/static//private/",
        "/static/./private/",
        "/static/x/../private/",
        "/static/%70rivate/",
        "/static/private",
        "//static/private/x",
    ],
)
def test_no_spelling_of_the_path_goes_round_the_login(site: Site, path: str) -> None:
    with site.connect() as connection:
        assert connection.get(path).status == 401


@pytest.mark.parametrize("path", ["/static/x%2f..%2fprivate/", "/static/private%2findex.html"])
def test_a_slash_inside_a_name_is_no_way_either(site: Site, path: str) -> None:
    with site.connect() as connection:
        assert connection.get(path).status == 400


# -- the small examples


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Where both answer: /api/ is the ASGI one, /hello/ the one for aiohttp."""
    folder = tmp_path_factory.mktemp("examples")
    with ExitStack() as stack:
        service("api", folder, stack, ["svckit-asgi", "--app-dir", str(EXAMPLES / "asgi"), "hello:app", "--service", "api"])
        aiohttp = ["svckit-aiohttp", "--app-dir", str(EXAMPLES / "aiohttp"), "hello:make_app", "--service", "hello"]
        service("hello", folder, stack, aiohttp)
        port = free_port()
        routes = [{"prefix": f"/{name}/", "service": name} for name in ("api", "hello")]
        router = OneProcess.router(port, folder, configuration(folder, port, ["api", "hello"], routes))
        stack.callback(router.stop)
        wait_for_listener("127.0.0.1", port)
        yield "127.0.0.1", port


def test_one_connection_asks_both_in_turn(examples: tuple[str, int]) -> None:
    connection = http.client.HTTPConnection(*examples, timeout=20)
    connection.connect()
    host, port = connection.sock.getsockname()
    for _ in range(3):
        connection.request("GET", "/api/x")
        assert connection.getresponse().read().decode() == f"hello {host}:{port}, you asked for /api/x by http\n"
        connection.request("GET", "/hello/y")
        assert connection.getresponse().read().decode() == f"hello {host}, you asked for /hello/y by http\n"
        connection.request("GET", "/hello/source")
        assert connection.getresponse().read() == (EXAMPLES / "aiohttp/hello.py").read_bytes()
    assert connection.sock.getsockname() == (host, port)
    connection.close()


@pytest.mark.parametrize("path", ["/api/echo", "/hello/echo"])
def test_a_websocket(examples: tuple[str, int], path: str) -> None:
    with connect(f"ws://{examples[0]}:{examples[1]}{path}", open_timeout=20) as websocket:
        websocket.send("there and back")
        assert websocket.recv(timeout=20) == "there and back"


def test_every_example_has_its_page() -> None:
    for folder in (EXAMPLES / "asgi", EXAMPLES / "aiohttp"):
        text = (folder / "README.md").read_text()
        assert "svckit-a" in text
        for name in (path.name for path in Path(folder).glob("*.py")):
            assert name in text


def test_the_compose_file_of_the_examples_routes_to_what_it_starts() -> None:
    written = tomllib.loads((EXAMPLES / "portico.toml").read_text())
    routed = set(written["services"])
    compose = (EXAMPLES / "compose.yml").read_text()
    assert routed == {"api", "hello"}
    image = (EXAMPLES.parent / "router/Dockerfile").read_text()
    assert f"PORTICO_ADMIN={written['admin']['address']}\n" in image  # else the router is never healthy
    assert 'PORTICO_KEEPER: "@portico-keeper"' in compose
    assert all(f"{name}:/run/portico/{name}:ro" in compose for name in routed)
    assert (
        f"install -d -o root -g portico -m 2770 {' '.join(f'/run/portico/{name}' for name in sorted(routed))}"
        in (EXAMPLES / "Dockerfile").read_text()
    )
