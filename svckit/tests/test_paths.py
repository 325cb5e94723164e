"""The one normalisation of request targets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svckit.paths import BadTarget, normalise

NORMAL = [
    # plain
    (b"/", b"/"),
    (b"/a", b"/a"),
    (b"/a/", b"/a/"),
    (b"/a/b.c/d", b"/a/b.c/d"),
    (b"/a/~user/;x=1,2", b"/a/~user/;x=1,2"),
    (b"*", b"*"),
    # the query is cut off, whatever is in it
    (b"/a?b=/../..", b"/a"),
    (b"/a?b?c", b"/a"),
    (b"/?", b"/"),
    (b"/a?%zz", b"/a"),
    (b"/a?x#y", b"/a"),
    (b"*?x", b"*"),
    # absolute form
    (b"http://example.org/a/b?c", b"/a/b"),
    (b"HTTPS://example.org:8443/a/../b", b"/b"),
    (b"http://example.org", b"/"),
    (b"http://example.org?x", b"/"),
    (b"http://user@[::1]:80/%61", b"/a"),
    # percent-encoding
    (b"/%61%62", b"/ab"),
    (b"/%7Euser", b"/~user"),
    (b"/a%2Fb", b"/a%2Fb"),
    (b"/a%2fb", b"/a%2Fb"),
    (b"/a%25b", b"/a%25b"),
    (b"/%252e%252e/a", b"/%252e%252e/a"),
    (b"/%2525", b"/%2525"),
    (b"/a%3Fb", b"/a?b"),
    (b"/a%23b", b"/a#b"),
    (b"/%c3%A4", b"/\xc3\xa4"),
    (b"/%ff", b"/\xff"),
    (b"/a%20b", b"/a b"),
    (b"/a+b", b"/a+b"),
    # doubled slashes
    (b"//", b"/"),
    (b"//a", b"/a"),
    (b"/a//b///c", b"/a/b/c"),
    (b"/a//", b"/a/"),
    # dot segments
    (b"/.", b"/"),
    (b"/a/.", b"/a/"),
    (b"/a/./b", b"/a/b"),
    (b"/a/..", b"/"),
    (b"/a/../", b"/"),
    (b"/a/b/..", b"/a/"),
    (b"/a/b/../c", b"/a/c"),
    (b"/a//../b", b"/b"),
    (b"/a/%2e%2E/b", b"/b"),
    (b"/a/.%2e/b", b"/b"),
    (b"/a/%2e/b", b"/a/b"),
    (b"/...", b"/..."),
    (b"/.hidden", b"/.hidden"),
    (b"/a/..b/c..", b"/a/..b/c.."),
    (b"/a/..%2f..", b"/a/..%2F.."),
    (b"/a/%2e%2e%2fb", b"/a/..%2Fb"),
]


@pytest.mark.parametrize(("target", "path"), NORMAL)
def test_the_normal_form(target: bytes, path: bytes) -> None:
    assert normalise(target) == path


BAD = [
    (b"", "neither"),
    (b"a", "neither"),
    (b"example.org:443", "neither"),
    (b"example.org", "neither"),
    (b"http:/a", "neither"),
    (b"http:///a", "neither"),
    (b"://example.org/", "neither"),
    (b"1http://example.org/", "neither"),
    (b"%2Fa", "neither"),
    (b"?a", "neither"),
    (b"**", "neither"),
    (b"/a#b", "fragment"),
    (b"http://example.org/#", "fragment"),
    (b"/%", "percent"),
    (b"/%4", "percent"),
    (b"/%zz", "percent"),
    (b"/%4g", "percent"),
    (b"/% 4", "percent"),
    (b"/%4 ", "percent"),
    (b"/%  ", "percent"),
    (b"/%\xff\xff", "percent"),
    (b"/%+1", "percent"),
    (b"/\0", "NUL"),
    (b"/a%00b", "NUL"),
    (b"/..", "above"),
    (b"/../a", "above"),
    (b"/a/../..", "above"),
    (b"//..", "above"),
    (b"/%2e%2e/a", "above"),
    (b"/./..", "above"),
    (b"http://example.org/..", "above"),
]


@pytest.mark.parametrize(("target", "why"), BAD)
def test_no_path(target: bytes, why: str) -> None:
    with pytest.raises(BadTarget, match=why):
        normalise(target)


TARGETS = st.lists(
    st.sampled_from(
        [b"/", b"//", b".", b"..", b"a", b"b", b"%2e", b"%2F", b"%25", b"%61", b"%00", b"%", b"?", b"#", b"\xff", b"\0"]
    ),
    max_size=14,
).map(lambda parts: b"/" + b"".join(parts))


@given(TARGETS | st.binary(max_size=40).map(b"/".__add__))
def test_what_comes_out_holds_no_surprise(target: bytes) -> None:
    try:
        path = normalise(target)
    except BadTarget:
        return
    assert path.startswith(b"/")
    segments = path[1:].split(b"/")
    assert not {b".", b".."} & set(segments)
    assert b"" not in segments[:-1]
    assert b"\0" not in path
    assert path.count(b"%") == path.count(b"%2F") + path.count(b"%25")


@given(TARGETS)
def test_a_path_in_its_normal_form_stays_as_it_is(target: bytes) -> None:
    try:
        path = normalise(target)
    except BadTarget:
        return
    if b"?" not in path and b"#" not in path:  # encoded in the target, they are data in the path
        assert normalise(path) == path


@given(st.binary(min_size=1, max_size=20))
def test_any_byte_can_be_said_encoded(data: bytes) -> None:
    encoded = b"".join(b"%%%02x" % byte for byte in data)
    if b"\0" in data:
        with pytest.raises(BadTarget):
            normalise(b"/a/x" + encoded)
    else:
        expected = data.replace(b"%", b"%25").replace(b"/", b"%2F")
        assert normalise(b"/a/x" + encoded) == b"/a/x" + expected


@pytest.mark.parametrize("end", [b"", b"%", b"/..", b"?"])
def test_a_long_path_costs_no_more_than_its_length(end: bytes) -> None:
    """A pattern that goes back over what it has read would not end within the test's time limit."""
    target = b"/a" * 200_000 + end
    try:
        assert normalise(target).startswith(b"/a/a")
    except BadTarget:
        assert end == b"%"
