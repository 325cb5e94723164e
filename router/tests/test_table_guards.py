"""What the guards of the services are told of a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.matchers import Ssh
from portico.core.preface import Preface
from svckit.lease import Ownership

from .support.tables import PLAIN, Spec, ask, get, host, method, table


def test_patterns_of_a_plain_table_are_those_of_the_file() -> None:
    assert PLAIN.patterns_for("static") == (
        ("=/", False),
        ("/static/", True),
        ("/static/a/b/", False),
        ("=/static/a", False),
        ("/ws", False),
    )


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        # with a condition nobody knows
        ([("me", "/a", (host("x"),))], {"/a": False}),
        ([("me", "/a", (host("x"),)), ("you", "/a", ())], {"/a": False}),
        ([("you", "/a", (host("x"),)), ("me", "/a", ())], {"/a": False}),
        # but where every way leads here
        ([("me", "/a", (host("x"),)), ("me", "/a", ())], {"/a": True}),
        ([("me", "/a", (host("x"),)), ("me", "/", ())], {"/a": True, "/": True}),
        ([("me", "/a", (host("x"),)), ("you", "/", ())], {"/a": False, "/": False}),
        ([("me", "=/a", (method(b"POST"),)), ("me", "/a", ()), ("you", "/", ())], {"=/a": True, "/a": True, "/": False}),
        # the default is like a prefix for everything
        ([("you", "/a", ()), ("me", "default", ())], {"/a": False, "/": True}),
        ([("me", "/a", (host("x"),)), ("me", "default", ())], {"/a": True, "/": True}),
        ([("you", "/", (host("x"),)), ("me", "default", ())], {"/": False}),
        ([("me", "/a", ()), ("you", "default", ())], {"/a": True, "/": False}),
        # what is below HTTP has no pattern
        ([("me", None, (Ssh(),)), ("you", "/a", ())], {"/a": False}),
    ],
)
def test_patterns_with_conditions(specs: list[Spec], expected: dict[str, bool]) -> None:
    assert dict(table(*specs).patterns_for("me")) == expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["me", "you"]),
            st.sampled_from(["/", "/a", "/a/b", "=/a", "=/a/b", "=/", "default"]),
            st.sampled_from([(), (host("x"),), (method(b"POST"),), (host("x"), method(b"POST"))]),
        ),
        max_size=8,
        unique_by=lambda spec: spec[1:] if spec[1] != "default" else "default",
    ),
    st.sampled_from([b"/", b"/a", b"/a/", b"/a/b", b"/a/b/c", b"/c", b"*"]),
    st.booleans(),
    st.booleans(),
)
def test_a_guard_never_keeps_what_the_router_would_send_elsewhere(
    specs: list[Spec], target: bytes, named: bool, posted: bool
) -> None:
    routes = table(*[(service, pattern, () if pattern == "default" else tests) for service, pattern, tests in specs])
    data = get(target, *([b"Host: x"] if named else []))
    found = ask(routes, Preface(data.replace(b"GET", b"POST") if posted else data))
    if Ownership(routes.patterns_for("me")).owns(target):
        assert found == "me"
