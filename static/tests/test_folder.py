"""Files over HTTP: what is answered, and what stock `twisted.web.static.File` gets wrong."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staticsvc.files import Files
from staticsvc.folder import Folder
from staticsvc.protection import Protection
from svckit.web import GuardedSite
from twisted.internet.task import Clock


def test_a_file(client: Any) -> None:
    status, headers, body = client.ask("/static/hello.txt")
    assert (status, body) == (200, b"hello")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["content-length"] == "5"
    assert headers["x-content-type-options"] == "nosniff"
    assert "cache-control" not in headers


def test_folders(client: Any) -> None:
    assert client.ask("/static/")[2] == b"<p>top"
    assert client.ask("/static/sub/")[2] == b"<p>sub"
    assert client.ask("/static/noindex/")[0] == 404
    assert client.ask("/static/sub/deep/")[0] == 404
    assert client.ask("/static/hello.txt/")[0] == 404
    assert client.ask("/static/nothing")[0] == 404


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/static", "/static/"),
        ("/static/sub", "/static/sub/"),
        ("/static/sub?a=b&c", "/static/sub/?a=b&c"),
        ("//static//sub", "/static/sub/"),
        ("http://evil.example/static/sub", "/static/sub/"),
        ("/static/x/../%73ub", "/static/sub/"),
        ("/static/s%C3%BCb", "/static/s%C3%BCb/"),
        ("/static/100%25", "/static/100%25/"),
    ],
)
def test_a_folder_without_its_slash(client: Any, root: Path, target: str, location: str) -> None:
    for name in ("süb", "100%"):
        (root / name).mkdir()
    status, headers, _ = client.ask(target)
    assert (status, headers["location"]) == (301, location)


def test_head(client: Any) -> None:
    status, headers, body = client.ask("/static/hello.txt", method="HEAD")
    assert (status, headers["content-length"], body) == (200, "5", b"")
    assert client.ask("/static/absent", method="HEAD")[2] == b""


@pytest.mark.parametrize("target", ["/static/hello.txt", "/static/", "/static/absent", "/"])
def test_methods(client: Any, target: str) -> None:
    status, headers, _ = client.ask(target, method="OPTIONS")
    assert (status, headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    for method in ("POST", "PUT", "DELETE", "BREW"):
        status, headers, _ = client.ask(target, method=method)
        assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_body_is_neither_kept_nor_a_problem(client: Any) -> None:
    asked = b"GET /static/hello.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000
    answer = client.raw(asked + b"GET /static/sub/ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2 and answer.endswith(b"<p>sub")


def test_conditions_and_ranges_reach_the_file(client: Any) -> None:
    etag = client.ask("/static/hello.txt")[1]["etag"]
    modified = client.ask("/static/hello.txt")[1]["last-modified"]
    assert client.ask("/static/hello.txt", f'If-None-Match: W/"x",{etag}')[0] == 304
    assert client.ask("/static/hello.txt", f"If-Modified-Since: {modified}")[0] == 304
    assert client.ask("/static/hello.txt", "Range: bytes=1-2")[2] == b"el"
    assert client.ask("/static/hello.txt", "Range: bytes=-9999")[::2] == (206, b"hello")
    assert client.ask("/static/hello.txt", "Range: bytes=1-2", 'If-Range: "other"')[::2] == (200, b"hello")
    assert client.ask("/static/hello.txt", "Range: bytes=5-")[0] == 416
    assert client.ask("/static/hello.txt", "Range: bytes=" + ",".join(["0-"] * 1300))[::2] == (200, b"hello")


def test_big_files_come_whole(client: Any, root: Path) -> None:
    data = os.urandom(300_000)
    (root / "big.bin").write_bytes(data)
    status, headers, body = client.ask("/static/big.bin")
    assert (status, headers["content-type"], body) == (200, "application/octet-stream", data)


def test_changes_on_disk_are_seen_at_once(client: Any, root: Path) -> None:
    etag = client.ask("/static/hello.txt")[1]["etag"]
    (root / "hello.txt").write_text("changed")
    assert client.ask("/static/hello.txt", f"If-None-Match: {etag}")[2] == b"changed"
    root.rename(root.parent / "old")
    assert client.ask("/static/hello.txt")[0] == 404
    root.mkdir()
    (root / "hello.txt").write_text("new root")
    assert client.ask("/static/hello.txt")[2] == b"new root"


def test_what_is_no_file_does_not_exist(client: Any, root: Path) -> None:
    os.mkfifo(root / "fifo")
    (root / "passwd").symlink_to("/etc/passwd")
    (root / "index").mkdir()
    (root / "index" / "index.html").mkdir()
    for target in ("/static/fifo", "/static/passwd", "/static/index/", "/static/.env", "/static/sub/.git"):
        assert client.ask(target)[0] == 404


@pytest.mark.parametrize(
    "target",
    [
        "/static/../outside.txt",
        "/static/../../outside.txt",
        "/static/%2e%2e/outside.txt",
        "/static/%2e%2e/%2e%2e/outside.txt",
        "/static/..%2foutside.txt",
        "/static/..%2Foutside.txt",
        "/static/%252e%252e/outside.txt",
        "/static/..%252foutside.txt",
        "/static/sub/..%2f..%2foutside.txt",
        "/static/..%5coutside.txt",
        "/static/%c0%ae%c0%ae/outside.txt",
        "/static/%2fetc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/....//outside.txt",
        "/static/..;/outside.txt",
        "/static/sub/../../outside.txt",
        "/static/%u002e%u002e/outside.txt",
        "/static/hello.txt%00.html",
        "/static/%00",
        "/static/\udcff",
        "/static/" + "a" * 300,
        "/static/" + "a/" * 2000,
        "/static/%",
        "/static/%2",
        "/statics/hello.txt",
        "/hello.txt",
        "/static.txt",
    ],
)
def test_nothing_outside_and_never_500(client: Any, target: str) -> None:
    status, _, body = client.ask(target)
    assert status in (400, 404) and b"outside" not in body and b"root:" not in body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            ["..", ".", "%2e", "%2E%2e", "/", "%2f", "//", "%5c", "\\", "sub", "private", "outside.txt", "%25", "\0", "é"]
        ),
        max_size=12,
    )
)
def test_any_path_is_answered_and_stays_inside(client: Any, parts: list[str]) -> None:
    status, _, body = client.ask("/static/" + "".join(parts).replace("\0", "%00"))
    assert status in (200, 301, 400, 401, 404)
    if status == 200:
        assert body in (b"<p>top", b"<p>sub") or b"<title>Portico</title>" in body
    else:
        assert b"outside" not in body and b"secret" not in body


# -- the protected folder


PRIVATE = ["/static/private/", "/static/private", "/static/private/inner/secret.txt", "/static//private/", "/static/%70rivate/"]


@pytest.mark.parametrize("target", [*PRIVATE, "/static/sub/../private/index.html", "/static/private/absent"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_private_asks_first(client: Any, target: str, method: str) -> None:
    assert client.ask(target, method=method)[0] == 401


@pytest.mark.parametrize("target", [*PRIVATE, "/static/private/absent"])
def test_private_is_closed_where_nobody_could_check(make: Any, target: str) -> None:
    status, headers, body = make(auth=False).ask(target, "Authorization: yes")
    assert status == 503 and "retry-after" in headers and b"secret" not in body


def test_private_for_users(client: Any) -> None:
    status, headers, body = client.ask("/static/private/inner/secret.txt", "Authorization: yes")
    assert (status, body) == (200, b"secret")
    assert headers["cache-control"] == "private, no-cache"
    assert client.ask("/static/private/", "Authorization: yes")[2] == b"<p>private"
    assert client.ask("/static/private", "Authorization: yes")[1]["location"] == "/static/private/"


def test_the_login_opens_only_the_private_folder(client: Any) -> None:
    assert client.ask("/static/privat/", "Authorization: yes")[0] == 404
    assert client.ask("/static/private%2finner/secret.txt", "Authorization: yes")[0] == 404
    assert client.ask("/static/private%2Finner%2Fsecret.txt")[0] == 404


def test_a_mistake_in_the_tree_opens_nothing(root: Path, make_site_client: Any) -> None:
    clock = Clock()
    for private, target, status in (
        (False, "/static/private/inner/secret.txt", 404),
        (False, "/static/private", 404),
        (False, "/static/hello.txt", 200),
        (True, "/static/private/inner/secret.txt", 200),
        (True, "/static/hello.txt", 404),
    ):
        protection = Protection(["/static/private/"])
        client = make_site_client(GuardedSite(Folder(Files(root=str(root)), protection, private), clock), clock)
        assert client.ask(target)[0] == status
