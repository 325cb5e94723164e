"""One connection and several services, the same in all deployments."""

import hashlib
import threading
from pathlib import Path

import pytest

from .support.payload import MIB
from .support.site import Site
from .support.visit import ECHOES, FILES, PUBLIC, head_of_put, name_for_upload


@pytest.fixture(scope="module")
def public_file() -> Path:
    return PUBLIC[0]


def test_one_connection_asks_two_services_in_turn(site: Site, public_file: Path) -> None:
    static, upload = f"/static/{public_file.as_posix()}", name_for_upload()
    content = (FILES / public_file).read_bytes()
    with site.connect() as connection:
        first = connection.get(static)
        connection.send((head_of_put(site, upload, 5) + "hello").encode())
        second = connection.response()
        third = connection.get(static)
        fourth = connection.get(upload)
    assert [first.status, second.status, third.status, fourth.status] == [200, 201, 200, 200]
    assert first.body == third.body == content
    assert hashlib.sha256(b"hello").hexdigest() in second.body.decode()
    assert fourth.body == b"hello"


def test_the_same_requests_all_sent_at_once(site: Site, public_file: Path) -> None:
    static, upload = f"/static/{public_file.as_posix()}", name_for_upload()
    get = f"GET {static} HTTP/1.1\r\nHost: portico.test\r\n\r\n"
    put = head_of_put(site, upload, 5) + "hello"
    with site.connect() as connection:
        connection.send((get + put + get + f"GET {upload} HTTP/1.1\r\nHost: portico.test\r\n\r\n").encode())
        answers = [connection.response() for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 201, 200, 200]
    assert answers[0].body == answers[2].body == (FILES / public_file).read_bytes()
    assert answers[3].body == b"hello"


@pytest.mark.parametrize("path", ECHOES)
def test_a_connection_that_asked_for_a_file_becomes_a_websocket(site: Site, public_file: Path, path: str) -> None:
    with site.connect() as connection:
        assert connection.get(f"/static/{public_file.as_posix()}").status == 200
        key = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455 section 1.3, with its answer
        upgraded = connection.get(
            path, Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Key=key, Sec_WebSocket_Version="13"
        )
        assert upgraded.status == 101
        assert upgraded.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("size", [1000, 20_000])
def test_more_requests_for_two_services_than_are_read_ahead(site: Site, public_file: Path, size: int) -> None:
    upload, rounds = name_for_upload(), (400_000 if site.bulk > 100 * MIB else 100_000) // size
    put = head_of_put(site, upload, size).encode() + b"x" * size
    get = f"GET /static/{public_file.as_posix()} HTTP/1.1\r\nHost: portico.test\r\n\r\n".encode()
    with site.connect(60) as connection:
        sender = threading.Thread(target=connection.send, args=((put + get) * rounds,))
        sender.start()
        statuses = [connection.response().status for _ in range(2 * rounds)]
        sender.join()
    assert statuses == [201, 200] + [200, 200] * (rounds - 1)


def test_a_client_that_has_ended_its_side_gets_its_answer(site: Site, public_file: Path) -> None:
    upload = name_for_upload()
    for request in (
        f"GET /static/{public_file.as_posix()} HTTP/1.1\r\nHost: portico.test\r\n\r\n",
        head_of_put(site, upload, 5) + "hello",
        f"GET {upload} HTTP/1.1\r\nHost: portico.test\r\n\r\n",
    ):
        with site.connect() as connection:
            connection.send(request.encode())
            connection.end_sending()
            assert connection.response().status in (200, 201)
            assert connection.ends()
