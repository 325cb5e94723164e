"""ClientHellos: real ones, in all sizes of records and segments."""

import ssl
from typing import Any

import pytest
from portico.core.clienthello import HelloReader, TlsFacts, make_hello

from .support.hello import agreed, extension, framed, make_message, read, real, reframed, vector

MANY = [f"protocol-{number}" for number in range(400)]


@pytest.mark.parametrize("record", [1, 2, 3, 4, 5, 37, 255, 1 << 14])
@pytest.mark.parametrize(
    ("name", "alpn"),
    [("a.example.org", ["h2", "http/1.1"]), ("a.example.org", None), (None, ["h2"]), (None, None)],
)
def test_real_ones_in_any_records(name: str | None, alpn: list[str] | None, record: int) -> None:
    expected = TlsFacts(name.encode() if name else None, tuple(each.encode() for each in alpn or ()))
    assert agreed(reframed(real(name, alpn), record)) == expected


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions(version: ssl.TLSVersion) -> None:
    assert agreed(real("x.org", ["h2"], version)) == TlsFacts(b"x.org", (b"h2",))


def test_one_that_fills_several_records() -> None:
    hello = real("a.example.org", MANY)
    assert len(hello) > 5_000
    for record in (1_000, 4_999):
        assert read(reframed(hello, record)) == TlsFacts(b"a.example.org", tuple(name.encode() for name in MANY))


def test_one_larger_than_a_record_can_be() -> None:
    names = tuple(b"%0200d" % number for number in range(200))
    message = make_message(extension(16, vector(2, b"".join(vector(1, name) for name in names))))
    assert len(message) > 1 << 14
    assert read(framed(message)) == TlsFacts(None, names)


def test_the_name_in_normal_form() -> None:
    assert agreed(make_hello(TlsFacts(b"A.Example.ORG.", ()))) == TlsFacts(b"a.example.org", ())


def test_what_make_hello_makes_a_real_server_reads() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    named = []
    context.sni_callback = lambda _, name, __: named.append(name)
    incoming = ssl.MemoryBIO()
    incoming.write(make_hello(TlsFacts(b"a.example.org", (b"h2",))))
    with pytest.raises(ssl.SSLError):  # it has no groups to offer
        context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    assert named == ["a.example.org"]


def test_single_bytes_cost_no_more_than_their_number() -> None:
    """The reader keeps its place: a slice for each call, never the whole again."""

    class Counting(bytes):
        looked_at = 0

        def __getitem__(self, key: Any) -> Any:
            found = super().__getitem__(key)
            Counting.looked_at += len(found)
            return found

    data = real("a.example.org", MANY)
    reader = HelloReader()
    for end in range(1, len(data) + 1):
        found = reader.read(Counting(data[:end]))
    assert found is not None
    assert Counting.looked_at < 2 * len(data)
