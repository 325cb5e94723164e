"""What a user sees, the same in all deployments."""

import base64
import hashlib
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from .support.payload import MIB, WISH, Payload, digest_of_rest
from .support.programs import program
from .support.site import ROOT, Site

FILES = ROOT / "static/files"
PUBLIC = sorted(
    path.relative_to(FILES)
    for path in FILES.rglob("*")
    if path.is_file() and path.relative_to(FILES).parts[0] != "private" and not path.name.startswith(".")
)
ECHOES = ["/ws/autobahn/echo", "/ws/txws/echo"]
PRIVATE = "/static/private/"


def name_for_upload() -> str:
    return f"/uploads/{uuid.uuid4().hex}.bin"


def head_of_put(site: Site, path: str, size: int) -> str:
    fields = f"Host: portico.test\r\nAuthorization: {site.authorization}\r\nContent-Length: {size}"
    fields += "".join(f"\r\n{name}: {value}" for name, value in WISH.items())
    return f"PUT {path} HTTP/1.1\r\n{fields}\r\n\r\n"


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


# -- logins

SCHEMES: dict[str, type[HTTPBasicAuth] | type[HTTPDigestAuth]] = {"basic": HTTPBasicAuth, "digest": HTTPDigestAuth}


def mistaken(scheme: str, known: str) -> str:
    """Whose password is wrong: the sites of one deployment share an auth service, and `admin` has ten tries for all of them."""
    return "admin" if scheme == known else nobody()


def nobody() -> str:
    return f"nobody-{uuid.uuid4().hex}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_requests_logs_in(site: Site, scheme: str) -> None:
    def get(user: str, password: str) -> int:
        login: AuthBase = SCHEMES[scheme](user, password)
        return site.get(PRIVATE, auth=login).status_code

    assert get("admin", site.password) == 200
    assert get(mistaken(scheme, "basic"), site.password + "x") == 401
    assert get(nobody(), site.password) == 401


@pytest.mark.parametrize("scheme", SCHEMES)
def test_curl_logs_in(site: Site, scheme: str) -> None:
    def get(user: str, password: str) -> str:
        command = [program("curl"), "-sS", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", f"--{scheme}", *site.curl_flags]
        command += ["-u", f"{user}:{password}", site.url + PRIVATE]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    assert get("admin", site.password) == "200"
    assert get(mistaken(scheme, "digest"), site.password + "x") == "401"


def test_without_a_login_there_are_challenges_for_both_schemes(site: Site) -> None:
    answer = site.get(PRIVATE)
    assert answer.status_code == 401
    offered = answer.headers["WWW-Authenticate"].lower()
    assert "basic " in offered
    assert "digest " in offered
    assert "sha-256" in offered


# -- one connection, several services


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
