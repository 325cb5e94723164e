"""What stands in for a file: the page for what is not there, and a listing where one is asked for."""

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest
from staticsvc.listing import _minute


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
    assert links == ["../", "zz/", "100%25", "%3Cb%3E%26.txt", "a.txt", "%FF"]
    assert b"<bdi>&lt;b&gt;&amp;.txt</bdi>" in body and "<bdi>\ufffd</bdi>".encode() in body
    assert [client.ask(f"/static/noindex/{link}")[0] for link in links[1:]] == [200] * 5
    assert client.ask("/static/sub/")[2] == b"<p>sub", "an index page wins"


def test_a_listing_is_bounded(make: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from staticsvc import listing

    monkeypatch.setattr(listing, "MOST", 3)
    for name in "bcdef":
        (root / "noindex" / name).touch()
    body = make(listing=True).ask("/static/noindex/")[2]
    assert body.count(b"<a href") == 4 and b"and 3 more" in body


def test_a_folder_that_may_be_entered_but_not_read_is_not_there(make: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_as_somebody(path: Any, *flags: int, **more: Any) -> int:
        if path == ".":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *flags, **more)

    client, opened = make(listing=True), os.open
    monkeypatch.setattr(os, "open", open_as_somebody)
    assert client.ask("/static/noindex/")[0] == 404
    assert client.ask("/static/noindex/a.txt")[2] == b"a"


@pytest.mark.parametrize(
    ("changed", "shown"), [(0.0, "1970-01-01 00:00"), (-86400.0, "1969-12-31 00:00"), (1e13, ""), (1e30, "")]
)
def test_a_file_may_say_any_time(changed: float, shown: str) -> None:
    assert _minute(changed) == shown
