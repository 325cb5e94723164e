"""Ownership of request targets, and the lease of a connection."""

import pytest
from svckit.lease import Lease, Ownership

ROUTES = (("/a/", True), ("/a/theirs/", False), ("=/", True), ("/b/", False))


@pytest.mark.parametrize(
    ("target", "ours"),
    [
        (b"/a/x", True),
        (b"/a/theirs/x", False),
        (b"/a/theirs-not/x", True),
        (b"/", True),
        (b"/b/x", False),
        (b"/nobodys", False),
        (b"*", False),
        (b"/%61/x?y", True),
        (b"/a/../b/", False),
        (b"/b/..", True),
        (b"http://example.org/a/x", True),
        # without meaning: ours to answer with 400
        (b"/..", True),
        (b"/b/%zz", True),
        (b"example.org:80", True),
        (b"", True),
    ],
)
def test_whose_a_target_is(target: bytes, ours: bool) -> None:
    assert Ownership(ROUTES).owns(target) is ours


def test_without_routes_nothing_is_ours() -> None:
    assert not Ownership().owns(b"/")


@pytest.mark.parametrize(
    ("routes", "all_ours"),
    [
        ((("/a/", True), ("/", False)), True),
        ((("/a", True), ("/ab/", False), ("=/a", False)), True),
        ((("/a/", True), ("/a/b/", True), ("=/a/c", True)), True),
        ((("/a/", True), ("/a/b/", False)), False),
        ((("/a/", True), ("=/a/b", False)), False),
        ((("/a/", False),), False),
        ((("/", True), ("/a/", False)), False),
        ((("/", True),), True),
        ((("=/a/", True), ("/", False)), False),
        ((("=/a/", True), ("/a", False)), False),
        ((("=/a/", True),), False),
        ((), False),
    ],
)
def test_whether_all_in_a_folder_is_ours(routes: tuple[tuple[str, bool], ...], all_ours: bool) -> None:
    assert Ownership(routes).owns_below(b"/a") is all_ours


def test_new_routes_replace_the_old() -> None:
    ownership = Ownership(ROUTES)
    ownership.update((("/b/", True),))
    assert [ownership.owns(b"/a/x"), ownership.owns(b"/b/x")] == [False, True]
    assert ownership.patterns == (("/b/", True),)


def test_a_lease_that_can_be_given_back() -> None:
    given: list[bytes] = []
    lease = Lease(Ownership(), given.append)
    assert lease.returnable
    lease.hand_back(b"unread")
    assert given == [b"unread"]


def test_a_lease_that_cannot() -> None:
    lease = Lease(Ownership(), None)
    assert not lease.returnable
    with pytest.raises(AssertionError):
        lease.hand_back(b"")
