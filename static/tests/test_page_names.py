"""Folders that are called as pages are: never taken for a page, and never in the way of one."""

from pathlib import Path
from typing import Any

from tests.support.descriptors import no_descriptor_leaks


def test_a_folder_called_as_the_index_page(make: Any, root: Path) -> None:
    (root / "noindex/index.html").mkdir()
    client = make(index="index.html index.htm", listing=True)
    status, _, body = client.ask("/static/noindex/")
    assert status == 200 and b"index.html/" in body, "a listing, with the folder in it"
    (root / "noindex/index.htm").write_text("the second name")
    assert client.ask("/static/noindex/")[2] == b"the second name"
    assert client.ask("/static/noindex/index.html")[0] == 301
    assert make().ask("/static/noindex/")[0] == 404
    (root / "noindex/index.html/index.html").write_text("its own")
    assert client.ask("/static/noindex/index.html/")[2] == b"its own"


def test_a_folder_called_as_a_clean_page(make: Any, root: Path) -> None:
    (root / "sub.html").mkdir()
    (root / "alone.html").mkdir()
    client = make(clean=True)
    with no_descriptor_leaks():
        assert client.ask("/static/sub")[0] == 301
        assert client.ask("/static/alone")[0] == 404


def test_a_folder_called_as_the_page_for_404(make: Any, root: Path) -> None:
    (root / "404.html").mkdir()
    assert make().ask("/static/absent")[0] == 404


def test_a_folder_called_as_a_form(make: Any, root: Path) -> None:
    (root / "hello.txt.gz").mkdir()
    assert make().ask("/static/hello.txt", "Accept-Encoding: gzip")[2] == b"hello"
