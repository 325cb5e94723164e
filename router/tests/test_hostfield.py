"""Which requests name their host, asked of the quick way; where hosts count, it agrees with the thorough one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.core.head import Head, read_head
from portico.core.hostfield import names_its_host
from portico.core.preface import BadHost, Preface
from svckit.hosts import is_host

SOUND = (
    b"h",
    b"",
    b"h:80",
    b"h:",
    b"a.b-c_d.example:8080",
    b"[::1]",
    b"[2001:db8::1]:443",
    b"127.0.0.1",
    b"  h\t",
    b"h\xc3\xbc",
)
UNSOUND = (b"h h", b"h,i", b"h/", b"a@h", b"h#", b"h?", b"[::1", b"::1", b"h:80:80", b"h:x", b"[h]", b"h\\")


def head(*fields: bytes, minor: int = 1) -> Head:
    found = read_head(b"GET / HTTP/1.%d\r\n%b\r\n" % (minor, b"".join(field + b"\r\n" for field in fields)))
    assert found is not None
    return found


@pytest.mark.parametrize("value", SOUND)
@pytest.mark.parametrize("name", [b"Host", b"host", b"hOsT"])
@pytest.mark.parametrize("before", [(), (b"A: b", b"Accept: x")])
def test_one_sound_host(value: bytes, name: bytes, before: tuple[bytes, ...]) -> None:
    for minor in (0, 1):
        assert names_its_host(head(*before, name + b":" + value, b"X-Host: other", minor=minor))
    assert is_host(value.strip(b" \t"))


@pytest.mark.parametrize("value", UNSOUND)
def test_no_sound_host(value: bytes) -> None:
    for minor in (0, 1):
        assert not names_its_host(head(b"A: b", b"Host: " + value, minor=minor))
    assert not is_host(value)


def test_two_hosts() -> None:
    for minor in (0, 1):
        for second in (b"Host: h", b"HOST: h", b"host:"):
            assert not names_its_host(head(b"Host: h", b"A: b", second, minor=minor))


def test_no_host() -> None:
    assert not names_its_host(head())
    assert not names_its_host(head(b"X-Host: h", b"A: \thost:h"))
    assert names_its_host(head(minor=0))
    assert names_its_host(head(b"X-Host: h", minor=0))


names = st.sampled_from([b"Host", b"host", b"HOST", b"X-Host", b"Hos", b"Hostt"])
values = st.one_of(st.sampled_from(SOUND + UNSOUND), st.text("ah:[].1 /@\\", max_size=8).map(str.encode))


@given(st.lists(st.tuples(names, values), max_size=4), st.sampled_from([0, 1]))
def test_it_agrees_with_the_thorough_way(fields: list[tuple[bytes, bytes]], minor: int) -> None:
    found = head(*(name + b": " + value for name, value in fields), minor=minor)
    preface = Preface(b"x", head=found)
    count = len(preface.fields(b"host"))
    assert names_its_host(found) == (_is_sound(preface) and (count == 1 or not (count or minor)))


def _is_sound(preface: Preface) -> bool:
    try:
        return preface.host is not None or not preface.fields(b"host")
    except BadHost:
        return False
