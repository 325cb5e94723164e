"""The first page: that it is whole by itself, and that its policy fits it exactly."""

import base64
import gzip
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
import staticsvc.page
from staticsvc.page import FirstPage, changed, policy_of


@pytest.fixture
def page(client: Any) -> str:
    body: bytes = client.ask("/")[2]
    return body.decode()


def test_answer(client: Any) -> None:
    status, headers, body = client.ask("/")
    assert status == 200 and body.startswith(b"<!doctype html>")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert int(headers["content-length"]) == len(body)


def test_conditions(client: Any) -> None:
    _, headers, _ = client.ask("/")
    status, again, body = client.ask("/", f'If-None-Match: "x",{headers["etag"]}')
    assert (status, body, again["etag"]) == (304, b"", headers["etag"])
    assert client.ask("/", f"If-Modified-Since: {headers['last-modified']}")[0] == 304
    assert client.ask("/", 'If-Match: "x"')[0] == 412
    assert client.ask("/", f"If-None-Match: {headers['etag']}", 'If-None-Match: "x"')[0] == 304
    assert client.ask("/", f"If-Match: {headers['etag']}", 'If-Match: "x"')[0] == 200


def test_last_modified_is_that_of_its_newest_part(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<style>/* include page.css */</style>")
    (tmp_path / "page.css").write_text("p {}")
    os.utime(tmp_path / "index.html", (1000, 1000))
    os.utime(tmp_path / "page.css", (2000, 2000))
    assert changed(tmp_path / "index.html") == 2000
    os.utime(tmp_path / "index.html", (3000, 3000))
    assert changed(tmp_path / "index.html") == 3000


def test_head(client: Any) -> None:
    status, headers, body = client.ask("/", method="HEAD")
    assert status == 200 and int(headers["content-length"]) > 1000 and body == b""


def test_only_at_the_root(client: Any) -> None:
    for target in ("/index.html", "/x", "/static/pages/index.html"):
        assert client.ask(target)[0] == 404


def test_nothing_comes_from_outside(page: str) -> None:
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', page) + re.findall(r"url\(([^)]*)\)", page)
    assert addresses, "it links to something"
    assert all(address.startswith(("/", "#", "data:")) and not address.startswith("//") for address in addresses)
    assert "@import" not in page


def test_links_and_parts(page: str) -> None:
    for part in (
        'href="/static/"',
        'href="/static/private/"',
        'type="file"',
        "/ws/autobahn/echo",
        "/ws/txws/echo",
        '"/uploads/"',
    ):
        assert part in page


def test_nothing_in_it_needs_what_the_policy_forbids(page: str) -> None:
    assert not re.search(r"<[^>]+\sstyle=", page), "style attributes have no hash"
    assert not re.search(r"<[^>]+\son\w+=", page), "nor have event attributes"
    assert "eval(" not in page and "innerHTML" not in page
    assert page.count("<script>") == page.count("<script") == 1 and page.count("<style>") == page.count("<style") == 2


def test_policy_names_the_hashes(client: Any, page: str) -> None:
    policy = client.ask("/")[1]["content-security-policy"]
    for kind in ("script", "style"):
        inner = page.partition(f"<{kind}>")[2].partition(f"</{kind}>")[0]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy


def test_policy_of_a_bare_page_allows_nothing() -> None:
    assert b"script-src 'none'; style-src 'none'" in policy_of(b"<p>bare")


def test_policy_of_several(tmp_path: Path) -> None:
    policy = policy_of(b"<script>a</script><script>b</script>")
    assert policy.count(b"sha256-") == 2


def test_dark_light_and_small(page: str) -> None:
    assert "prefers-color-scheme: dark" in page and 'name="color-scheme" content="light dark"' in page
    assert 'name="viewport"' in page and "max-width" in page


def test_a_page_of_ones_own(make: Any, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>Mine</title>")
    assert make(pages=str(tmp_path)).ask("/")[2] == b"<title>Mine</title>"


def test_reads_once(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("x")
    page = FirstPage(tmp_path / "p")
    (tmp_path / "p").unlink()
    assert page._body == b"x"


def test_its_parts_are_put_in(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<style>/* include a.css */</style><script>/* include b.js c/d.js */</script>")
    (tmp_path / "c").mkdir()
    for name, text in (("a.css", "A{}\n"), ("b.js", "b\n"), ("c/d.js", "d")):
        (tmp_path / name).write_text(text)
    page = b"<style>\nA{}\n</style><script>\nb\nd\n</script>"
    assert FirstPage(tmp_path / "index.html")._body == page
    (tmp_path / "b.js").unlink()
    with pytest.raises(FileNotFoundError):
        FirstPage(tmp_path / "index.html")


def test_nothing_is_left_out(page: str) -> None:
    assert "/* include" not in page


def test_packed_for_those_who_can_unpack(client: Any) -> None:
    _, plain, body = client.ask("/", "Accept-Encoding: gzip;q=0")
    status, headers, packed = client.ask("/", "Accept-Encoding: br, gzip")
    assert (status, headers["content-encoding"], gzip.decompress(packed)) == (200, "gzip", body)
    assert headers["vary"] == plain["vary"] == "Accept-Encoding" and "content-encoding" not in plain
    assert headers["etag"] != plain["etag"]
    assert client.ask("/", "Accept-Encoding: gzip", f"If-None-Match: {headers['etag']}")[0] == 304
    assert client.ask("/", "Accept-Encoding: gzip", f"If-None-Match: {plain['etag']}")[0] == 200


def test_libraries_of_others_bring_their_licence() -> None:
    vendored = Path(staticsvc.page.__file__).parent / "pages" / "vendor"
    for library in vendored.glob("*.js"):
        assert (vendored / f"{library.name.partition('.')[0]}-LICENSE").exists()
        assert f"`{library.name}`" in (vendored / "README.md").read_text()
