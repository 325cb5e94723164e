"""One folder under several roots: a login before one of its addresses is before all of them."""

import os
from pathlib import Path
from typing import Any

import pytest
from staticsvc.shared import Shared, shared_by


@pytest.mark.parametrize("way", ["itself", "below", "above", "link"])
def test_no_other_root_leads_round_the_login(make: Any, root: Path, tmp_path: Path, way: str) -> None:
    (tmp_path / "link").symlink_to(root / "private")
    folder, place = {
        "itself": (root, "private/"), "below": (root / "private", ""), "above": (tmp_path, "root/private/"),
        "link": (tmp_path / "link", ""),
    }[way]  # fmt: skip
    client = make(roots={"/all/": str(folder)}, listing=True, clean=True)
    for name, goes_to in {
        "": "index.html",
        "index": "index.html",
        "index.html": "index.html",
        "inner/": "inner/",
        "inner/secret.txt": "inner/secret.txt",
    }.items():
        for _ in range(2):  # what is kept prepared, too
            status, headers, body = client.ask(f"/all/{place}{name}")
            assert (status, headers.get("location"), body) == (302, f"/static/private/{goes_to}", b""), name
    assert client.ask(f"/all/{place}inner")[0] == 301, "and from there to the login"
    assert client.ask("/static/private/inner/secret.txt", "Authorization: yes")[2] == b"secret"
    assert client.ask("/static/hello.txt")[0] == 200


def test_what_is_beside_it_stays_open(make: Any, root: Path) -> None:
    client = make(roots={"/all/": str(root), "/sub/": str(root / "sub")}, protected=["/all/sub/deep/"], listing=True)
    assert client.ask("/all/hello.txt")[2] == b"hello"
    assert client.ask("/sub/")[2] == client.ask("/static/sub/")[2] == b"<p>sub"
    for target in ("/sub/deep/x.bin", "/static/sub/deep/x.bin"):
        assert client.ask(target)[1]["location"] == "/all/sub/deep/x.bin"


def test_a_login_before_a_whole_root_is_before_that_address(make: Any, root: Path) -> None:
    client = make(roots={"/all/": str(root), "/pub/": str(root / "sub")}, protected=["/all/", "/static/sub/deep/"])
    assert client.ask("/all/sub/")[0] == 401
    assert client.ask("/pub/")[2] == b"<p>sub"
    assert client.ask("/pub/deep/x.bin")[1]["location"] == "/static/sub/deep/x.bin"


def test_what_roots_share(tmp_path: Path) -> None:
    for name in ("a/b%/c", "ab", "d"):
        (tmp_path / name).mkdir(parents=True)
    roots = {"/x/": f"{tmp_path}/a", "/y/": f"{tmp_path}/a/b%", "/z/": f"{tmp_path}/ab", "/": f"{tmp_path}/d/../a/b%"}
    found = shared_by(roots)
    assert found["/x/"] == (Shared(b"/y", b"b%/", b""), Shared(b"", b"b%/", b""))
    assert found["/y/"] == (Shared(b"/x", b"", b"b%/"), Shared(b"", b"", b""))
    assert found["/z/"] == ()
    (upper, lower) = found["/x/"][0], found["/y/"][0]
    assert upper.address(b"b%/c/f") == b"/y/c/f" and upper.address(b"b%") is None and upper.address(b"b%x/f") is None
    assert lower.address(b"c/f") == b"/x/b%25/c/f"


def test_a_folder_with_a_second_name_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.symlink("a", tmp_path / "b")
    assert shared_by({"/x/": f"{tmp_path}/a", "/y/": f"{tmp_path}/b"})["/y/"] == (Shared(b"/x", b"", b""),)
