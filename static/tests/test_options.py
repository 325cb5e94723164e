"""The options as a user sets them, and what comes of each over HTTP."""

import gzip
import os
from pathlib import Path
from typing import Any

import pytest


def test_another_index_name(make: Any, root: Path) -> None:
    (root / "noindex" / "home.htm").write_text("home")
    client = make(index="index.html home.htm")
    assert client.ask("/static/noindex/")[2] == b"home"
    assert client.ask("/static/sub/")[2] == b"<p>sub"


def test_clean_addresses(make: Any, root: Path) -> None:
    (root / "about.html").write_text("<p>about")
    (root / "sub.html").write_text("<p>page sub")
    assert make().ask("/static/about")[0] == 404
    client = make(clean=True)
    assert client.ask("/static/about")[::2] == (200, b"<p>about")
    assert client.ask("/static/about")[1]["content-type"] == "text/html; charset=utf-8"
    assert client.ask("/static/about.html")[2] == b"<p>about"
    assert client.ask("/static/sub")[2] == b"<p>page sub", "the page comes before the folder"
    assert client.ask("/static/sub/")[2] == b"<p>sub"
    assert client.ask("/static/noindex")[0] == 301
    for target in ("/static/about/", "/static/no", "/static/sub/no", "/static/private/index"):
        assert client.ask(target)[0] in (401, 404)


def test_fallback_of_an_application(make: Any, root: Path) -> None:
    client = make(fallback="/static/sub/")
    for target in ("/static/sub/users/7", "/static/sub/users/", "/static/sub/noindex"):
        assert client.ask(target)[::2] == (200, b"<p>sub")
    for target in ("/static/sub/app.js", "/static/users/7", "/static/sub/.hidden", "/static/sub/a/.git"):
        assert client.ask(target)[0] == 404
    assert client.ask("/static/sub/users/7", "Range: bytes=0-1")[2] == b"<p"


def test_a_fallback_does_not_open_what_is_protected(make: Any) -> None:
    client = make(fallback="/static/", clean=True)
    assert client.ask("/static/any")[2] == b"<p>top"
    for target in ("/static/private/any", "/static/private"):
        assert client.ask(target)[0] == 401


def test_a_page_for_what_is_not_there(make: Any, root: Path) -> None:
    (root / "404.html").write_text("<p>gone")
    status, headers, body = make().ask("/static/absent")
    assert (status, body, headers["content-length"]) == (404, b"<p>gone", "7")
    assert "etag" not in headers and "last-modified" not in headers and headers["cache-control"] == "no-cache"
    assert make().ask("/static/absent", method="HEAD")[::2] == (404, b"")
    assert make().ask("/static/absent", "Range: bytes=0-0")[::2] == (404, b"<p>gone")
    (root / "404.html").write_bytes(b"x" * 100_000)
    assert make().ask("/static/absent")[::2] == (404, b"x" * 100_000)
    (root / "404.html").write_text("")
    assert make().ask("/static/absent")[::2] == (404, b"")
    (root / "404.html").unlink()
    (root / "404.html").symlink_to(root.parent / "outside.txt")
    assert b"outside" not in make().ask("/static/absent")[2]


# -- precompressed forms


@pytest.fixture
def forms(root: Path) -> Path:
    (root / "app.js").write_text("let plain")
    for extension in ("br", "zst", "gz"):
        (root / f"app.js.{extension}").write_text(extension)
    return root


@pytest.mark.parametrize(
    ("accepts", "coding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", b"br"),
        ("gzip, zstd", "zstd", b"zst"),
        ("gzip", "gzip", b"gz"),
        ("gzip;q=1, br;q=0.1", "gzip", b"gz"),
        ("br;q=0", None, b"let plain"),
        ("deflate", None, b"let plain"),
    ],
)
def test_the_form_that_a_client_takes(client: Any, forms: Path, accepts: str, coding: str | None, body: bytes) -> None:
    status, headers, got = client.ask("/static/app.js", f"Accept-Encoding: {accepts}")
    assert (status, headers.get("content-encoding"), got) == (200, coding, body)
    assert headers["vary"] == "Accept-Encoding" and headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["content-length"] == str(len(body))
    assert client.ask("/static/app.js", f"Accept-Encoding: {accepts}", f"If-None-Match: {headers['etag']}")[0] == 304


def test_each_form_has_a_tag_of_its_own(client: Any, forms: Path) -> None:
    tags = {client.ask("/static/app.js", f"Accept-Encoding: {each}")[1]["etag"] for each in ("br", "zstd", "gzip", "none")}
    assert len(tags) == 4
    assert client.ask("/static/app.js", "Accept-Encoding: br", "Range: bytes=1-")[2] == b"r"
    for header, status in (("Range: bytes=9-", 416), ('If-Match: "x"', 412), ("If-None-Match: *", 304)):
        got, headers, _ = client.ask("/static/app.js", "Accept-Encoding: br", header)
        assert got == status and "content-encoding" not in headers, "no text of ours is said to be compressed"


def test_a_form_of_an_older_file_is_not_sent(client: Any, forms: Path) -> None:
    about = (forms / "app.js").stat()
    os.utime(forms / "app.js.br", ns=(about.st_mtime_ns - 1, about.st_mtime_ns - 1))
    (forms / "app.js.zst").unlink()
    (forms / "app.js.zst").mkdir()
    assert client.ask("/static/app.js", "Accept-Encoding: br, zstd, gzip")[2] == b"gz"


def test_forms_are_files_too(client: Any, forms: Path) -> None:
    status, headers, body = client.ask("/static/app.js.gz", "Accept-Encoding: gzip")
    assert (status, body, headers["content-type"]) == (200, b"gz", "application/gzip")
    assert "content-encoding" not in headers and "vary" not in headers


def test_forms_never_come_from_outside(client: Any, root: Path) -> None:
    (root / "b.css").write_text("b")
    (root / "b.css.gz").symlink_to(root.parent / "outside.txt")
    assert client.ask("/static/b.css", "Accept-Encoding: gzip")[2] == b"b"
    assert client.ask("/static/b.css.br", "Accept-Encoding: gzip")[0] == 404, "the form of what is not there is not made up"


def test_forms_may_be_switched_off(make: Any, forms: Path) -> None:
    _, headers, body = make(precompressed="false").ask("/static/app.js", "Accept-Encoding: gzip")
    assert body == b"let plain" and "vary" not in headers


def test_several_ranges_of_a_form_get_all_of_it(client: Any, root: Path) -> None:
    (root / "hello.txt.gz").write_bytes(packed := gzip.compress(b"hello"))
    coded = ("Accept-Encoding: gzip", "Range: bytes=0-1,3-4")
    status, headers, body = client.ask("/static/hello.txt", *coded)
    assert (status, headers["content-encoding"], body) == (200, "gzip", packed)
    assert "content-range" not in headers and headers["content-length"] == str(len(packed))
    assert client.ask("/static/hello.txt", coded[0], "Range: bytes=0-1")[::2] == (206, packed[:2])
    status, headers, _ = client.ask("/static/hello.txt", coded[1])
    assert status == 206 and headers["content-type"].startswith("multipart/byteranges")


def test_a_real_form_is_what_a_client_unpacks(client: Any, root: Path) -> None:
    (root / "real.svg").write_text("<svg/>")
    (root / "real.svg.gz").write_bytes(gzip.compress(b"<svg/>"))
    assert gzip.decompress(client.ask("/static/real.svg", "Accept-Encoding: gzip")[2]) == b"<svg/>"


# -- several roots, protected prefixes, caches


def test_several_roots(make: Any, tmp_path: Path) -> None:
    for name in ("docs", "deep"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    roots = f"/docs={tmp_path}/docs /docs/deep/={tmp_path}/deep"
    client = make(roots=roots)
    for target, body in (("/docs/", b"docs"), ("/docs/deep/", b"deep"), ("/static/hello.txt", b"hello")):
        assert client.ask(target)[2] == body
    assert client.ask("/docs")[1]["location"] == "/docs/"
    assert client.ask("/docsx/")[0] == 404
    assert client.ask("/")[2].startswith(b"<!doctype html>")
    assert make(roots={"/docs/": f"{tmp_path}/docs"}).ask("/docs/")[2] == b"docs"


def test_a_site_at_the_root_replaces_the_first_page(make: Any, tmp_path: Path, root: Path) -> None:
    client = make(roots=f"/={root}")
    assert client.ask("/")[2] == b"<p>top" and client.ask("/sub/deep/x.bin")[2] == b"deep"
    assert client.ask("/static/hello.txt")[2] == b"hello"


def test_protected_prefixes(make: Any, root: Path, tmp_path: Path) -> None:
    client = make(protected="/static/sub/ /docs/", roots=f"/docs/={root}")
    for target in ("/static/sub/", "/static/sub", "/docs/hello.txt", "/static/%73ub/index.html", "/docs/no"):
        assert client.ask(target)[0] == 401
    assert client.ask("/docs/hello.txt", "Authorization: yes")[1]["cache-control"] == "private, no-cache"
    assert client.ask("/static/subx")[0] == 404
    assert client.ask("/static/private/")[2] == b"<p>private", "it was not named"
    assert make(protected="").ask("/static/private/")[0] == 200


def test_caches(make: Any, root: Path) -> None:
    (root / "app.0123abcd.js").write_text("x")
    assert make().ask("/static/app.0123abcd.js")[1]["cache-control"] == "public, max-age=31536000, immutable"
    client = make(cache="*.txt: max-age=60; /static/sub/*: no-cache")
    assert client.ask("/static/hello.txt")[1]["cache-control"] == "max-age=60"
    assert client.ask("/static/sub/")[1]["cache-control"] == "no-cache"
    assert client.ask("/static/hello.txt", "Range: bytes=9-")[1]["cache-control"] == "no-store"
    etag = client.ask("/static/hello.txt")[1]["etag"]
    assert client.ask("/static/hello.txt", f"If-None-Match: {etag}")[1]["cache-control"] == "max-age=60"
    assert client.ask("/static/absent.txt")[0] == 404 and "cache-control" not in client.ask("/static/absent.txt")[1]
    assert "cache-control" not in make(cache="").ask("/static/app.0123abcd.js")[1]


def test_a_cache_rule_is_about_the_file_that_is_sent(make: Any, root: Path) -> None:
    (root / "sub.html").write_text("<p>page")
    rules = {"*.html": "no-cache", "/static/sub/assets/*": "max-age=9, immutable", "sub": "no-store"}
    client = make(cache=rules, clean=True, fallback="/static/sub/")
    for target in ("/static/", "/static/sub/", "/static/sub", "/static/sub/users/7", "/static/sub/assets/gone"):
        status, headers, body = client.ask(target)
        assert (status, headers["cache-control"]) == (200, "no-cache"), (target, body)
    (root / "sub" / "assets").mkdir()
    (root / "sub" / "assets" / "100%25.bin").touch()
    assert client.ask("/static/sub/assets/100%2525.bin")[1]["cache-control"] == "max-age=9, immutable"
