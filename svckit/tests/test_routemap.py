"""Longest prefix, on segment boundaries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svckit.routemap import RouteMap

SITE = RouteMap(
    [("=/", "front"), ("/static/", "static"), ("/static/live/", "live"), ("/up", "up"), ("=/static/exact", "exact")]
)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        (b"/", "front"),
        (b"/static", "static"),
        (b"/static/", "static"),
        (b"/static/x/y/z", "static"),
        (b"/static/live", "live"),
        (b"/static/live/", "live"),
        (b"/static/live/x", "live"),
        (b"/static/lively", "static"),
        (b"/staticx", None),
        (b"/up", "up"),
        (b"/up/", "up"),
        (b"/up/x", "up"),
        (b"/uploads", None),
        (b"/uploads/x", None),
        (b"/static/exact", "exact"),
        (b"/static/exact/", "static"),
        (b"/static/exact/x", "static"),
        (b"/other", None),
        (b"/x/static/", None),
        (b"/STATIC/", None),
        (b"*", None),
        (b"", None),
    ],
)
def test_who_owns_a_path(path: bytes, owner: str | None) -> None:
    assert SITE.find(path) == owner


def test_the_root_prefix_owns_the_rest() -> None:
    routes = RouteMap([("/", "rest"), ("/a/", "a")])
    assert [routes.find(path) for path in (b"/", b"/x", b"/a", b"/a/x", b"*")] == ["rest", "rest", "a", "a", None]


def test_an_exact_path_wins_over_the_same_prefix() -> None:
    routes = RouteMap([("/a", "prefix"), ("=/a", "exact")])
    assert [routes.find(path) for path in (b"/a", b"/a/", b"/a/b")] == ["exact", "prefix", "prefix"]


def test_an_exact_path_keeps_its_slash() -> None:
    routes = RouteMap([("=/a/", "with"), ("=/b", "without")])
    assert [routes.find(path) for path in (b"/a", b"/a/", b"/b", b"/b/")] == [None, "with", "without", None]


def test_nothing_owns_nothing() -> None:
    routes: RouteMap[str] = RouteMap()
    assert routes.find(b"/") is routes.find(b"/a/b") is None


def test_a_value_may_be_false() -> None:
    """A longer prefix cuts a piece out of a shorter one, also where its value is false."""
    routes = RouteMap([("/a/", True), ("/a/b/", False), ("=/a/c", False)])
    assert [routes.find(path) for path in (b"/a/x", b"/a/b/x", b"/a/c", b"/c")] == [True, False, False, None]


def test_patterns_are_utf8() -> None:
    assert RouteMap([("/jörg/", 1)]).find("/jörg/x".encode()) == 1


@pytest.mark.parametrize("pattern", ["", "a", "a/", "=", "=a", "==/a", " /a", "*"])
def test_a_pattern_starts_with_a_slash(pattern: str) -> None:
    with pytest.raises(ValueError, match="starts with a slash"):
        RouteMap([(pattern, 1)])


@pytest.mark.parametrize("twice", [("/a/", "/a"), ("/a", "/a"), ("=/a", "=/a"), ("/", "//")])
def test_a_pattern_stands_there_once(twice: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="twice"):
        RouteMap([(pattern, 1) for pattern in twice])


SEGMENTS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=4)
PATTERNS = st.lists(SEGMENTS, max_size=8, unique_by=tuple)


@given(PATTERNS, SEGMENTS)
def test_it_agrees_with_looking_at_every_pattern(patterns: list[list[str]], path: list[str]) -> None:
    routes = RouteMap([("/" + "/".join(pattern), pattern) for pattern in patterns])
    owners = [pattern for pattern in patterns if path[: len(pattern)] == pattern]
    assert routes.find(("/" + "/".join(path)).encode()) == max(owners, key=len, default=None)
