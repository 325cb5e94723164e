"""The first page: that it is whole by itself, and that its policy fits it exactly."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from staticsvc.page import FirstPage, policy_of


@pytest.fixture
def page(client: Any) -> str:
    return client.ask("/")[2].decode()


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


def test_head(client: Any) -> None:
    status, headers, body = client.ask("/", method="HEAD")
    assert status == 200 and int(headers["content-length"]) > 1000 and body == b""


def test_only_at_the_root(client: Any) -> None:
    for target in ("/index.html", "/x", "/static/pages/index.html"):
        assert client.ask(target)[0] == 404


def test_nothing_comes_from_outside(page: str) -> None:
    addresses = re.findall(r'(?:src|href|action)="([^"]*)"', page) + re.findall(r"url\(([^)]*)\)", page)
    assert addresses, "it links to something"
    assert all(address.startswith(("/", "data:")) and not address.startswith("//") for address in addresses)
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
    assert page.count("<script>") == page.count("<script") == 1 and page.count("<style>") == page.count("<style") == 1


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
