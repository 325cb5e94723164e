"""What stands in for a file: the page for what is not there, and a listing where one is asked for."""

import os
import re
from pathlib import Path
from typing import Any

import pytest


def test_the_page_for_what_is_not_there(client: Any) -> None:
    status, headers, body = client.ask("/static/<script>")
    assert status == 404 and b"<script>" not in body and b"404 Not Found" in body
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"].startswith("default-src 'none'")


def test_no_listing_by_default_and_a_plain_one_on_demand(make: Any, root: Path) -> None:
    (root / "noindex" / "<b>&.txt").touch()
    (root / "noindex" / ".hidden").touch()
    (root / "noindex" / "link").symlink_to("a.txt")
    (root / "noindex" / "zz").mkdir()
    (root / "noindex" / "100%").touch()
    Path(os.fsdecode(os.fsencode(root / "noindex") + b"/\xff")).touch()
    assert make().ask("/static/noindex/")[0] == 404
    client = make(listing="true")
    status, headers, body = client.ask("/static/noindex/")
    assert status == 200 and headers["content-type"] == "text/html; charset=utf-8"
    links = re.findall(r'<a href="\./([^"]*)">', body.decode())
    assert links == ["../", "zz/", "100%25", "%3Cb%3E%26.txt", "a.txt"]
    assert b"&lt;b&gt;&amp;.txt" in body
    assert client.ask("/static/sub/")[2] == b"<p>sub", "an index page wins"
    assert client.ask("/static/noindex/100%25")[0] == 200


def test_a_listing_is_bounded(make: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from staticsvc import listing

    monkeypatch.setattr(listing, "MOST", 3)
    for name in "bcdef":
        (root / "noindex" / name).touch()
    body = make(listing=True).ask("/static/noindex/")[2]
    assert body.count(b"<a href") == 4 and b"and 3 more" in body
