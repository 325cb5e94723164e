"""Each bad request gets the answer that docs/errors.md promises, and the router serves on."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.one_process import OneProcess
from .support.raw import RawConnection
from .support.site import Site, free_port, wait_for_listener

GET = b"GET / HTTP/1.1\r\nHost: portico.test\r\n\r\n"


@pytest.fixture(autouse=True)
def serves_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each of these tests a good request is answered as ever."""
    yield
    if "site" in request.fixturenames:
        found: Site = request.getfixturevalue("site")
        with found.connect() as connection:
            assert connection.get("/").status == 200


def refusal(connection: RawConnection) -> int:
    """The status of an answer that is the connection's last."""
    answer = connection.response()
    assert answer.headers["connection"] == "close"
    assert connection.ends()
    return answer.status


def test_a_head_sent_byte_by_byte_is_answered(site: Site) -> None:
    with site.connect() as connection:
        for byte in GET:
            connection.send(bytes([byte]))
        assert connection.response().status == 200


def test_a_head_of_100_kb_is_431(site: Site) -> None:
    with site.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: portico.test\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")
        assert refusal(connection) == 431


def test_a_second_head_of_100_kb_is_refused_too(site: Site) -> None:
    with site.connect() as connection:
        assert connection.get("/").status == 200
        connection.send(b"GET / HTTP/1.1\r\nHost: portico.test\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")
        assert connection.response().status in (400, 431)
        assert connection.ends()


@pytest.mark.parametrize(
    "head",
    [
        b"GET %b HTTP/1.1\r\n\r\n",
        b"GET %b HTTP/1.1\r\nHost: portico.test\r\nhost: portico.test\r\n\r\n",
        b"GET %b HTTP/1.1\r\nHost: portico test\r\n\r\n",
    ],
)
@pytest.mark.parametrize("path", [b"/", b"/uploads/"])
def test_a_request_names_one_host_the_first_as_well_as_the_next(site: Site, head: bytes, path: bytes) -> None:
    with site.connect() as connection:
        connection.send(head % path)
        assert refusal(connection) == 400
    with site.connect() as connection:
        assert connection.get("/").status == 200
        connection.send(head % path)
        assert refusal(connection) == 400


def test_too_many_header_fields_are_431(site: Site) -> None:
    head = b"GET / HTTP/1.1\r\nHost: portico.test\r\n" + b"A: b\r\n" * 128 + b"\r\n"
    for before in (False, True):
        with site.connect() as connection:
            if before:
                assert connection.get("/").status == 200
            connection.send(head)
            assert refusal(connection) == 431


@pytest.mark.parametrize(
    "site", ["in-process/plain", "in-process/tls+proxy"], indirect=True
)  # it takes 10 s, whatever the target
def test_a_head_that_is_never_finished_is_408(site: Site) -> None:
    with site.connect(timeout=40) as connection:
        connection.send(GET[:-2])
        assert refusal(connection) == 408


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /static/\0 HTTP/1.1\r\nHost: portico.test\r\n\r\n",
        b"GET /static/%00 HTTP/1.1\r\nHost: portico.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: portico\0.test\r\n\r\n",
    ],
    ids=["target", "encoded", "header"],
)
def test_a_nul_byte_is_400(site: Site, request_bytes: bytes) -> None:
    with site.connect() as connection:
        connection.send(request_bytes)
        assert refusal(connection) == 400


@pytest.mark.parametrize("path", ["/nowhere", "/staticx/y", "/up", "/ws/other/echo"])
def test_a_path_without_a_route_is_404(site: Site, path: str) -> None:
    with site.connect() as connection:
        connection.send(f"GET {path} HTTP/1.1\r\nHost: portico.test\r\n\r\n".encode())
        assert refusal(connection) == 404


def test_no_route_on_a_kept_connection_is_404(site: Site) -> None:
    with site.connect() as connection:
        assert connection.get("/").status == 200
        assert connection.get("/nowhere").status == 404
        assert connection.ends()


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0\0\0\0", b"SSH-2.0-x\r\n"])
def test_what_is_not_http_is_closed(site: Site, garbage: bytes) -> None:
    with site.connect() as connection:
        connection.send(garbage)
        with contextlib.suppress(ConnectionError):  # closed without a word is as good as an answer
            assert connection.response().status == 400
        assert connection.ends()


def test_a_service_without_replicas_is_503_with_retry_after(tmp_path: Path) -> None:
    configuration = tmp_path / "portico.toml"
    (tmp_path / "empty").mkdir()
    port = free_port()
    configuration.write_text(
        f'listeners = [{{address = "127.0.0.1:{port}"}}]\n'
        'routes = [{prefix = "/", service = "absent"}]\n'
        f'services.absent = {{target = "handoff", folder = "{tmp_path / "empty"}"}}\n'
        "limits.queue_timeout = 0.2\n"
    )
    router = OneProcess.router(port, tmp_path, configuration)
    try:
        wait_for_listener("127.0.0.1", port)
        with RawConnection("127.0.0.1", port) as connection:
            answer = connection.get("/")
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        with RawConnection("127.0.0.1", port) as connection:  # and it answers the next one as well
            assert connection.get("/").status == 503
    finally:
        router.stop()
