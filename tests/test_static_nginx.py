"""Conditions and ranges beside nginx's: the same folder, the same requests, the answers compared one by one.

Where the two differ, the row says why we do what we do. A row that says so and does not differ is a mistake, too.
"""

import hashlib
import http.client
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple

import pytest

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
MODIFIED = 1_700_000_000
SAME, EARLIER, LATER = (formatdate(MODIFIED + shift, usegmt=True) for shift in (0, -10, 10))
OLD_FORM = time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(MODIFIED))


class Row(NamedTuple):
    """A request; `{etag}` in a header is the tag that the server itself gives the file."""

    headers: dict[str, str]
    path: str = "ten.txt"
    method: str = "GET"
    why: str = ""
    """Why the answers differ; empty: they do not."""


SEMANTICS = "RFC 9110 section 14.2: a Range that cannot be understood is ignored; nginx answers 416"
PRECEDENCE = "RFC 9110 section 13.2.2: If-Modified-Since is not looked at beside If-None-Match; nginx wants both to hold"
DATE = "RFC 9110 section 13.1.3: not modified since a later date, either; nginx wants the very date unless told otherwise"
ONLY_GET = "RFC 9110 section 14.2: Range is defined for GET alone; nginx answers HEAD with 206"
MATCHED = "RFC 9110 section 13.2.2: If-Unmodified-Since is not looked at beside If-Match; nginx wants both to hold"
FORMS = "a precompressed form is a file of its own with a strong tag, so it has ranges; nginx gives none"
EMPTY = "RFC 9110 section 14.1.2: no byte of an empty file can be had, so 416; nginx answers 200"
ALLOWED = "RFC 9110 section 15.5.6: 405 must carry Allow, and OPTIONS says what may be done; nginx does neither"
TABLE = [
    Row({}),
    Row({}, method="HEAD"),
    Row({}, "empty.txt"),
    Row({}, "absent.txt"),
    Row({}, "absent.txt", "HEAD"),
    Row({}, ""),
    Row({}, "sub"),
    Row({}, "sub/"),
    Row({}, "sub?x=1"),
    Row({}, "ten.txt/"),
    Row({}, "ten.txt?x=1"),
    Row({}, "./sub/../ten.txt"),
    Row({}, "t%65n.txt"),
    Row({}, method="POST", why=ALLOWED),
    Row({}, method="DELETE", why=ALLOWED),
    Row({}, method="OPTIONS", why=ALLOWED),
    # ranges
    Row({"Range": "bytes=0-3"}),
    Row({"Range": "bytes=3-3"}),
    Row({"Range": "bytes=3-"}),
    Row({"Range": "bytes=-3"}),
    Row({"Range": "bytes=-99"}),
    Row({"Range": "bytes=0-99"}),
    Row({"Range": "bytes=9-"}),
    Row({"Range": "bytes=10-"}),
    Row({"Range": "bytes=99-100"}),
    Row({"Range": "bytes=-0"}),
    Row({"Range": "bytes=0-0,-1"}),
    Row({"Range": "bytes=0-1,3-4,6-"}),
    Row({"Range": "bytes=0-1, 3-4"}),
    Row({"Range": "bytes=0-1,99-"}),
    Row({"Range": "bytes=98-,99-"}),
    Row({"Range": "bytes=0-8,1-9"}),
    Row({"Range": "bytes=0-9,0-9,0-9"}),
    Row({"Range": "bytes=0-50000,60000-99999"}, "big.bin"),
    Row({"Range": "bytes=5-4"}, why=SEMANTICS),
    Row({"Range": "bytes=x-y"}, why=SEMANTICS),
    Row({"Range": "bytes="}),
    Row({"Range": "bytes=1"}, why=SEMANTICS),
    Row({"Range": "lines=0-1"}),
    Row({"Range": "bytes=0-3"}, "empty.txt", why=EMPTY),
    Row({"Range": "bytes=-3"}, "empty.txt"),
    Row({"Range": "bytes=0-3"}, method="HEAD", why=ONLY_GET),
    Row({"Range": "bytes=99999999999999999999-"}),
    # If-Range
    Row({"Range": "bytes=0-3", "If-Range": "{etag}"}),
    Row({"Range": "bytes=0-3", "If-Range": '"other"'}),
    Row({"Range": "bytes=0-3", "If-Range": "W/{etag}"}),
    Row({"Range": "bytes=0-3", "If-Range": SAME}),
    Row({"Range": "bytes=0-3", "If-Range": LATER}),
    Row({"Range": "bytes=0-3", "If-Range": EARLIER}),
    Row({"Range": "bytes=99-", "If-Range": '"other"'}),
    # If-None-Match, If-Modified-Since
    Row({"If-None-Match": "{etag}"}),
    Row({"If-None-Match": "W/{etag}"}),
    Row({"If-None-Match": '"a", {etag} ,"b"'}),
    Row({"If-None-Match": "*"}),
    Row({"If-None-Match": '"other"'}),
    Row({"If-None-Match": "{etag}"}, method="HEAD"),
    Row({"If-None-Match": "{etag}", "Range": "bytes=0-3"}),
    Row({"If-Modified-Since": SAME}),
    Row({"If-Modified-Since": EARLIER}),
    Row({"If-Modified-Since": LATER}, why=DATE),
    Row({"If-Modified-Since": "yesterday"}),
    Row({"If-Modified-Since": OLD_FORM}),
    Row({"If-None-Match": '"other"', "If-Modified-Since": SAME}),
    Row({"If-None-Match": "{etag}", "If-Modified-Since": EARLIER}, why=PRECEDENCE),
    # If-Match, If-Unmodified-Since
    Row({"If-Match": "{etag}"}),
    Row({"If-Match": '"other"'}),
    Row({"If-Match": "*"}),
    Row({"If-Match": "W/{etag}"}),
    Row({"If-Unmodified-Since": EARLIER}),
    Row({"If-Unmodified-Since": LATER}),
    Row({"If-Match": "{etag}", "If-Unmodified-Since": EARLIER}, why=MATCHED),
    Row({"If-Match": '"other"', "If-None-Match": "{etag}"}),
    # forms
    Row({"Accept-Encoding": "gzip"}, "app.js", why=FORMS),
    Row({"Accept-Encoding": "gzip;q=0"}, "app.js"),
    Row({"Accept-Encoding": "gzip", "Range": "bytes=0-3"}, "app.js", why=FORMS),
    Row({"Accept-Encoding": "gzip", "If-None-Match": "{etag}"}, "app.js"),
    Row({}, "app.js.gz"),
]


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
