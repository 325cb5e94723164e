"""Conditions and ranges beside nginx's: the same folder, the same requests, the answers compared one by one.

Where the two differ, the row says why we do what we do. A row that says so and does not differ is a mistake, too.
"""

import hashlib
import http.client
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .support.conditions import MODIFIED, TABLE, Row
from .support.programs import program
from .support.site import free_port, wait_for_listener
from .support.static_site import static_site

NGINX = """
{user} worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; absolute_redirect off; gzip_static on; gzip_vary on; default_type application/octet-stream;
  types {{ text/plain txt; text/html html; text/javascript js; application/gzip gz; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; location /static/ {{ alias {root}/; index index.html; }} }}
}}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    (root / "sub").mkdir()
    for name, content in {
        "ten.txt": b"0123456789",
        "empty.txt": b"",
        "index.html": b"<p>top",
        "sub/index.html": b"<p>sub",
        "big.bin": bytes(range(250)) * 400,
        "app.js": b"let plain",
        "app.js.gz": b"not really gzip",
    }.items():
        (root / name).write_bytes(content)
        os.utime(root / name, (MODIFIED, MODIFIED))
    return root


@pytest.fixture(scope="module")
def ours(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with static_site(tmp_path_factory.mktemp("ours"), root) as running:
        yield running.port


@pytest.fixture(scope="module")
def theirs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    user = "user root;" if os.getuid() == 0 else ""  # else its workers are nobody, who may not look into the folder
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, root=root, user=user))
    command = [program("nginx"), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_for_listener("127.0.0.1", port)
        yield port
    finally:
        process.terminate()
        process.wait(15)


def ask(port: int, row: Row) -> dict[str, Any]:
    """What of an answer two servers can agree on."""
    headers = row.headers
    if "{etag}" in str(headers):
        kept = {name: value for name, value in headers.items() if name == "Accept-Encoding"}
        etag = ask(port, Row(kept, row.path))["etag"]
        headers = {name: value.replace("{etag}", etag) for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(row.method, f"/static/{row.path}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    given = answer.headers
    found: dict[str, Any] = {"status": answer.status, "etag": given["ETag"]}
    for name in ("Last-Modified", "Content-Range", "Content-Encoding", "Accept-Ranges", "Location", "Allow"):
        found[name] = given[name]
    if row.path == "app.js":  # for the others nginx says nothing, as there is no other form of them now
        found["Vary"] = given["Vary"]
    if answer.status in (200, 206):
        kind, _, boundary = (given["Content-Type"] or "").partition("; boundary=")
        found["type"] = kind.partition(";")[0]
        found["content"] = _parts(body, boundary) if boundary else (given["Content-Length"], hashlib.sha256(body).hexdigest())
    return found


def _parts(body: bytes, boundary: str) -> list[tuple[str, bytes]]:
    """Content-Range and content of each part."""
    parts = body.split(b"--" + boundary.encode())[1:-1]
    found = []
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        place = re.search(rb"(?i)content-range: ([^\r]+)", head)
        assert place is not None
        found.append((place[1].decode(), content.removesuffix(b"\r\n")))
    return found


def _named(row: Row) -> str:
    return f"{row.method} {row.path} " + ", ".join(f"{name}: {value}" for name, value in row.headers.items())


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 60 and len({_named(row) for row in TABLE}) == len(TABLE)


def _comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what means nothing: each has tags of its own, and nginx says Accept-Ranges with a 200 only."""
    answer["etag"] = answer["etag"] is not None
    if answer["status"] in (206, 304):
        del answer["Accept-Ranges"]
    if answer["status"] not in (200, 206, 304):  # pages of the servers' own
        answer = {key: answer[key] for key in ("status", "Content-Range", "Location", "Allow")}
    return answer


@pytest.mark.parametrize("row", TABLE, ids=_named)
def test_as_nginx_does(ours: int, theirs: int, row: Row) -> None:
    here, there = (_comparable(ask(port, row)) for port in (ours, theirs))
    if row.why:
        assert here != there, f"they agree by now: {row.why}"
    else:
        assert here == there


def test_bytes_that_are_no_request_of_anybodys(ours: int) -> None:
    with socket.create_connection(("127.0.0.1", ours), 20) as client:
        client.sendall(b"GET /static/ten.txt HTTP/1.1\r\nHost: x\r\nRange: \xff\xfe\r\nConnection: close\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"0123456789")
