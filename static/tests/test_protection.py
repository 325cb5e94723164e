"""Protected files: no address leads round the login, whatever it is called by."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from staticsvc.protection import Protection, address_of, fold, other_names

SECRET = b"SECRET"
FORMS = ("", ".br", ".gz", ".zst")


@pytest.fixture
def tree(root: Path) -> Path:
    """Files whose whole content is the secret, each beside its forms, and one that is open."""
    (root / "app").mkdir()
    for name, form in product(("only.txt", "page.html", "sub/index.html", "app/index.html", "404.html", "näme%.txt"), FORMS):
        (root / (name + form)).write_bytes(SECRET)
    return root


Ask = Callable[..., tuple[int, dict[str, str], bytes]]


@pytest.fixture
def ask(make: Any, tree: Path) -> Ask:
    names = ("only.txt", "page.html", "sub/index.html", "app/index.html", "404.html", "näme%.txt")
    protected = [f"/static/{name}" for name in names if "%" not in name]
    client = make(protected=[*protected, "/static/private/"], clean=True, fallback=["/static/app/"], listing=True)

    def twice(target: str, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        client.ask(target, *headers, method=method)
        return client.ask(target, *headers, method=method)  # type: ignore[no-any-return]

    return twice


SPELLINGS = [
    *(f"/static/only.txt{form}" for form in FORMS),
    *(f"/static/page.html{form}" for form in FORMS),
    *(f"/static/sub/index.html{form}" for form in FORMS),
    *(f"/static/app/index.html{form}" for form in FORMS),
    *(f"/static/404.html{form}" for form in FORMS),
    "/static/page", "/static/page/", "/static/404", "/static/only.txt/", "/static/only.txt//", "/static/sub/index",
    "/static/sub", "/static/sub/", "/static/sub/.", "/static/sub//", "/static/app/", "/static/app/anything", "/static/app/a/b",
    "/static/%6fnly.txt", "/static/only%2Etxt", "/static/only%2etxt.g%7A", "/static//only.txt.gz", "/static/./only.txt.br",
    "/static/noindex/../only.txt.zst", "/static/p%61ge", "/static/only.txt?x", "/static/only.txt.gz?x=1",
    "/static/only.txt.gz/", "http://x/static/only.txt.gz", "/static/only.txt%00", "/static/only%252Etxt",
    "/static/only.txt.gz.gz", "/static/absent", "/static/sub%2Findex.html", "/static/ONLY.TXT", "/static/Only.txt.GZ",
    "/static/PAGE", "/static/Private/", "/static/private", "/static/PRIVATE/inner/secret.txt",
    "/static/private/inner/secret.txt",
]  # fmt: skip


@pytest.mark.parametrize("target", SPELLINGS)
def test_no_spelling_leads_round_the_login(ask: Ask, target: str) -> None:
    for headers in ((), ("Accept-Encoding: br, zstd, gzip",), ("Accept-Encoding: gzip",), ("Range: bytes=0-3",)):
        for method in ("GET", "HEAD"):
            status, fields, body = ask(target, *headers, method=method)
            assert status in (301, 302, 400, 401, 404), f"{status} for {target}"
            assert SECRET not in body and "etag" not in fields and "last-modified" not in fields


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("/static/only.txt.gz", "/static/only.txt"),
        ("/static/page", "/static/page.html"),
        ("/static/page.html.br", "/static/page.html"),
        ("/static/sub/", "/static/sub/index.html"),
        ("/static/app/anything", "/static/app/index.html"),
    ],
)
def test_it_leads_to_the_login_instead(ask: Ask, target: str, address: str) -> None:
    status, fields, _ = ask(target)
    assert (status, fields["location"], fields["cache-control"]) == (302, address, "no-store")
    assert ask(address)[0] == 401
    status, fields, body = ask(address, "Authorization: yes", "Accept-Encoding: gzip")
    assert (status, body, fields["cache-control"]) == (200, SECRET, "private, no-cache")


def test_what_is_beside_it_stays_open(ask: Ask, tree: Path) -> None:
    (tree / "private.gz").write_text("an archive, beside the folder")
    (tree / "only.txt.old").write_text("another file")
    assert ask("/static/hello.txt")[2] == b"hello"
    assert ask("/static/private.gz")[2] == b"an archive, beside the folder"
    assert ask("/static/only.txt.old")[2] == b"another file"
    assert ask("/static/absent")[0] == 404


def test_a_protected_clean_name_protects_the_page(make: Any, tree: Path) -> None:
    client = make(protected="/static/page", clean=True)
    assert client.ask("/static/page")[0] == 401
    assert [client.ask(f"/static/page.html{form}")[0] for form in FORMS] == [302] * 4
    assert client.ask("/static/page", "Authorization: yes")[2] == SECRET
    unclean = make(protected="/static/page")
    assert unclean.ask("/static/page.html")[2] == SECRET, "where there are no clean names it is another address"


def test_names_that_have_to_be_encoded(make: Any, tree: Path) -> None:
    client = make(protected="/static/näme.txt")
    (tree / "näme.txt.gz").write_bytes(SECRET)
    (tree / "näme.txt").write_bytes(SECRET)
    assert client.ask("/static/n%C3%A4me.txt")[0] == 401
    assert client.ask("/static/n%C3%A4me.txt.gz")[1]["location"] == "/static/n%C3%A4me.txt"
    assert client.ask("/static/na%CC%88me.txt")[0] == 404, "the same letter, spelled in another way"


def test_a_file_system_without_case(make: Any, root: Path) -> None:
    (root / "private").rename(root / "PRIVATE")  # as if both names led to it
    assert make().ask("/static/PRIVATE/index.html")[0] == 404
    assert make(protected="").ask("/static/PRIVATE/index.html")[0] == 200


def test_what_protects() -> None:
    protection = Protection(["/a/Straße/", "/x"])
    assert protection.asks(b"/a/Stra\xc3\x9fe/y") and not protection.asks(b"/a/STRASSE/y")
    assert protection.resembles(b"/a/STRASSE/y") and protection.resembles(b"/X") and not protection.resembles(b"/\xff/xx")
    assert not Protection().asks(b"/") and not Protection().resembles(b"/")


def test_names() -> None:
    assert address_of(b"/static", b"a%b/c?d") == b"/static/a%25b/c?d"
    assert fold("\u212bngstr\u00f6m") == fold("a\u030angstro\u0308m")
    found = list(other_names(b"a/b.html.gz.br", True, lambda place: False))
    assert found == [b"a/b.html.gz", b"a/b.html", b"a/b"]
    assert list(other_names(b"a/data.gz", True, lambda place: place == b"a/data")) == []
