"""What a user sees, the same in all deployments: pages, files, uploads, WebSockets."""

import base64
import hashlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from .support.payload import MIB, WISH, Payload, digest_of_rest
from .support.programs import program
from .support.site import Site
from .support.visit import ECHOES, FILES, PRIVATE, PUBLIC, head_of_put, name_for_upload

# -- pages and files


def test_the_first_page_links_to_all_the_rest(site: Site) -> None:
    page = site.get("/")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    for prefix in ("/static/", PRIVATE, "/uploads/", *ECHOES):
        assert prefix in page.text, f"the first page does not mention {prefix}"
    links = set(re.findall(r'(?:href|src)="(/[^"#?]*)', page.text))
    assert links
    answers = {link: site.get(link).status_code for link in links}
    assert {link: status for link, status in answers.items() if status >= 500 or status == 404} == {}


@pytest.mark.parametrize("path", PUBLIC, ids=str)
def test_a_static_file_arrives_as_it_is(site: Site, path: Path) -> None:
    answer = site.get(f"/static/{path.as_posix()}")
    assert answer.status_code == 200
    assert answer.content == (FILES / path).read_bytes()


def test_a_file_that_is_not_there_is_404(site: Site) -> None:
    assert site.get("/static/no-such-file").status_code == 404


def test_nothing_outside_the_folder_can_be_reached(site: Site) -> None:
    with site.connect() as connection:
        assert connection.get("/static/%2e%2e/%2e%2e/etc/passwd").status in (400, 404)
    with site.connect() as connection:
        assert connection.get("/static/..%2f..%2f..%2fetc/passwd").status in (400, 404)


# -- uploads


def test_much_goes_up_and_comes_down_with_the_same_digest(site: Site) -> None:
    payload, path = Payload(site.bulk), name_for_upload()
    connection = site.http()
    created = payload.put(connection, path, site.authorization)
    assert created.status == 201
    assert payload.sha256 in created.read().decode()
    connection.request("GET", path)
    download = connection.getresponse()
    assert download.status == 200
    assert digest_of_rest(download) == (payload.size, payload.sha256)
    connection.close()


def test_a_chunked_upload_of_unknown_length(site: Site) -> None:
    payload, path = Payload(3 * MIB + 17), name_for_upload()

    def pieces() -> Iterator[bytes]:
        yield from payload

    created = site.ask("PUT", path, data=pieces(), auth=site.login, headers=WISH)
    assert created.status_code == 201
    assert payload.sha256 in created.text
    assert hashlib.sha256(site.get(path).content).hexdigest() == payload.sha256


def test_an_upload_is_not_there_before_its_last_byte(site: Site) -> None:
    path = name_for_upload()
    with site.connect() as connection:
        connection.send((head_of_put(site, path, 10) + "01234").encode())
        assert site.get(path).status_code == 404
        connection.send(b"56789")
        assert connection.response().status == 201
    assert site.get(path).content == b"0123456789"


def test_an_upload_that_breaks_off_leaves_nothing(site: Site) -> None:
    path = name_for_upload()
    with site.connect() as connection:
        connection.send((head_of_put(site, path, 10) + "01234").encode())
    assert site.get(path).status_code == 404


def test_files_of_a_form_arrive(site: Site) -> None:
    payload, path = Payload(3 * MIB + 17), name_for_upload()
    file = (path.rpartition("/")[2], b"".join(payload))
    assert site.ask("POST", "/uploads/", files={"file": file}, data={"note": "hello"}).status_code == 401
    answer = site.ask("POST", "/uploads/", files={"file": file}, data={"note": "hello"}, auth=site.login, headers=WISH)
    assert answer.status_code == 201
    assert [found["sha256"] for found in answer.json()] == [payload.sha256]
    assert hashlib.sha256(site.get(path).content).hexdigest() == payload.sha256


def test_a_resumable_upload_goes_on_where_it_was_cut(site: Site) -> None:
    payload, path = Payload(3 * MIB + 17), name_for_upload()
    whole, tus = b"".join(payload), {"Tus-Resumable": "1.0.0"}
    named = "filename " + base64.b64encode(path.rpartition("/")[2].encode()).decode()
    made = {**tus, "Upload-Length": str(len(whole)), "Upload-Metadata": named}
    assert site.ask("POST", "/uploads/", headers=made).status_code == 401
    where = site.ask("POST", "/uploads/", headers=made, auth=site.login).headers["Location"]
    head = f"Host: portico.test\r\nAuthorization: {site.authorization}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
    head += f"Content-Type: application/offset+octet-stream\r\nContent-Length: {len(whole)}\r\n\r\n"
    with site.connect() as connection:
        connection.send(f"PATCH {where} HTTP/1.1\r\n{head}".encode() + whole[:MIB])
    deadline, status = time.monotonic() + 30, 0
    while status != 204:  # what was cut may still be on its way, and take over what has come before it: 423, or 409 after it
        assert status in (0, 409, 423) and time.monotonic() < deadline
        found = site.ask("HEAD", where, headers=tus, auth=site.login)
        assert found.status_code == 200
        offset = int(found.headers["Upload-Offset"])
        more = {**tus, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        status = site.ask("PATCH", where, headers=more, data=whole[offset:], auth=site.login).status_code
    assert hashlib.sha256(site.get(path).content).hexdigest() == payload.sha256


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_only_who_has_a_login_writes(site: Site, method: str) -> None:
    path = name_for_upload()
    assert site.ask("PUT", path, data=b"mine", auth=site.login).status_code == 201
    answer = site.ask(method, path, data=b"theirs" if method == "PUT" else None)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Digest ")
    assert site.get(path).content == b"mine"


@pytest.mark.parametrize("scheme", ["--basic", "--digest", "--anyauth"])
def test_curl_uploads_with_a_login(site: Site, scheme: str, tmp_path: Path) -> None:
    payload, path, file = Payload(3 * MIB + 17), name_for_upload(), tmp_path / "file"
    file.write_bytes(b"".join(payload))
    command = [program("curl"), "-sS", "-m", "60", scheme, *site.curl_flags, "-K", "-", "-T", str(file), site.url + path]
    command += [part for name, value in WISH.items() for part in ("-H", f"{name}: {value}")]
    login = f'user = "admin:{site.password}"\n'
    done = subprocess.run(command, input=login, capture_output=True, text=True, timeout=90, check=False)
    assert payload.sha256 in done.stdout, done.stderr
    assert hashlib.sha256(site.get(path).content).hexdigest() == payload.sha256


def test_a_client_that_waits_for_100_is_refused_before_its_body(site: Site) -> None:
    head = f"PUT {name_for_upload()} HTTP/1.1\r\nHost: portico.test\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"
    with site.connect() as connection:
        connection.send(head.encode())
        assert connection.response().status == 401


# -- WebSockets


@pytest.fixture(params=ECHOES)
def echo(request: pytest.FixtureRequest, site: Site) -> Iterator[ClientConnection]:
    with site.websocket(request.param, close_timeout=5) as websocket:
        yield websocket


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 300_000])
def test_an_echo_gives_a_text_back(echo: ClientConnection, size: int) -> None:
    text = ("größer " * (size // 7 + 1))[:size]
    echo.send(text)
    assert echo.recv(timeout=10) == text


def test_an_echo_keeps_the_order_of_many_messages(echo: ClientConnection) -> None:
    for number in range(100):
        echo.send(f"message {number}")
    assert [echo.recv(timeout=10) for _ in range(100)] == [f"message {number}" for number in range(100)]


def test_an_echo_answers_a_ping_and_a_close(echo: ClientConnection) -> None:
    assert echo.ping().wait(10)
    echo.close(1000, "done")
    assert echo.close_code == 1000


@pytest.mark.parametrize("prefix", ["/ws/autobahn/", "/ws/txws/"])
def test_only_the_echo_is_there(site: Site, prefix: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        site.websocket(f"{prefix}no-such-thing")
    assert refused.value.response.status_code == 404
