"""What may stand in a Host field."""

import pytest
from svckit.hosts import is_host


@pytest.mark.parametrize(
    "value", [b"", b"h", b"h:80", b"h:", b"a.b-c_d.example:8080", b"[::1]", b"[2001:db8::1]:443", b"h\xc3\xbc"]
)
def test_hosts(value: bytes) -> None:
    assert is_host(value)


@pytest.mark.parametrize(
    "value", [b"h h", b" h", b"h,i", b"h/", b"a@h", b"h#", b"h?", b"[::1", b"::1", b"h:80:80", b"h:x", b"[h]", b"h\\"]
)
def test_no_hosts(value: bytes) -> None:
    assert not is_host(value)
