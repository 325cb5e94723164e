"""From plain to TLS: what is answered, and that it leads to the host that was asked and nowhere else."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.arrival import Arrival
from portico.config import Limits
from portico.core.answers import BAD_HOST, BAD_REQUEST, Answer
from portico.core.head import read_head
from portico.redirect import Redirect
from portico.service import RoutedService

from .support.reactor import HandReactor
from .support.redirects import ask
from .support.wires import Answers, arrive, as_reactor, parse_response, tcp_pair


def answer_to(wire: bytes, text: str = "https") -> Answer:
    client, ours = tcp_pair()
    arrival = Arrival(ours, ("127.0.0.1", 1), ("127.0.0.1", 80), 0.0, wire)
    arrival.head = read_head(wire)
    found = Redirect.of(text).answer_to(arrival)
    client.close()
    ours.close()
    return found


def leads_to(wire: bytes, text: str = "https") -> str | None:
    answer = answer_to(wire, text)
    response, body = parse_response(answer.wire)
    assert response.status == answer.status == 308
    assert response.headers["Connection"] == "close"
    assert response.headers["Cache-Control"] == "no-store"
    assert int(response.headers["Content-Length"]) == len(body)
    assert not response.headers.defects
    return response.headers["Location"]


@pytest.mark.parametrize(
    ("text", "host", "target", "location"),
    [
        ("https", b"a.org", b"/", "https://a.org/"),
        ("https", b"a.org", b"/x/y?z=1&%41", "https://a.org/x/y?z=1&%41"),
        ("https", b"A.Org.", b"/X", "https://a.org/X"),
        ("https", b"a.org:8080", b"/", "https://a.org/"),
        ("https", b" a.org \t", b"/", "https://a.org/"),
        ("https:443", b"a.org", b"/", "https://a.org/"),
        ("https:8443", b"a.org", b"/x", "https://a.org:8443/x"),
        ("https:8443", b"a.org:80", b"/x", "https://a.org:8443/x"),
        ("https", b"127.0.0.1:80", b"/", "https://127.0.0.1/"),
        ("https:8443", b"[::1]:80", b"/", "https://[::1]:8443/"),
        ("https", b"a.org", b"//evil.org/x", "https://a.org//evil.org/x"),
        ("https", b"a.org", b"/\\evil.org", "https://a.org/%5Cevil.org"),
        ("https", b"a.org", b"/<\"'>`{}|^", "https://a.org/%3C%22'%3E%60%7B%7D%7C%5E"),
        ("https", b"a.org", "/ä".encode(), "https://a.org/%C3%A4"),
        ("https", b"a.org", b"/%0d%0aSet-Cookie:%20a=b", "https://a.org/%0d%0aSet-Cookie:%20a=b"),
        ("https", b"a.org", b"http://a.org/x?y", "https://a.org/x?y"),
        ("https", b"a.org", b"HTTP://A.org:80/x", "https://a.org/x"),
        ("https", b"a.org", b"http://a.org", "https://a.org/"),
        ("https", b"a.org", b"http://a.org?y", "https://a.org/?y"),
        ("https", b"a.org", b"http://a.org//evil.org", "https://a.org//evil.org"),
    ],
)
def test_where_it_leads(text: str, host: bytes, target: bytes, location: str) -> None:
    assert leads_to(ask(target, b"Host:" + host), text) == location


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"DELETE", b"OPTIONS"])
def test_whatever_the_method(method: bytes) -> None:
    assert leads_to(ask(b"/x", b"Host: h", b"Content-Length: 3", method=method) + b"abc") == "https://h/x"


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (b"Host:",),
        (b"Host: a.org", b"Host: a.org"),
        (b"Host: a.org", b"Host: evil.org"),
        (b"Host: a.org, evil.org",),
        (b"Host: a.org/evil",),
        (b"Host: user@evil.org",),
        (b"Host: a.org evil.org",),
        (b"Host: a.org\tX: y",),
        (b"Host: a.org?",),
        (b"Host: a.org#",),
        (b"Host: a.org\\evil",),
        (b"Host: a.org:80x",),
        (b"Host: a.org:80:80",),
        (b"Host: :80",),
        (b"Host: [a.org]",),
        (b"Host: [::1",),
        (b"Host: a%0d%0ab",),
        (b'Host: a"b',),
        (b"Host: a<b",),
        ("Host: ä.org".encode(),),
        (b"X-Forwarded-Host: a.org",),
    ],
)
def test_no_host_in_one_sound_way(fields: tuple[bytes, ...]) -> None:
    assert answer_to(ask(b"/", *fields)) is BAD_HOST


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_the_host_field_is_what_counts(version: bytes) -> None:
    assert answer_to(ask(b"http://evil.org/", version=version)) is BAD_HOST
    assert answer_to(ask(b"http://evil.org/", b"Host: a.org", version=version)) is BAD_HOST
    assert answer_to(ask(b"http://a.org@evil.org/", b"Host: a.org", version=version)) is BAD_HOST
    assert answer_to(ask(b"http://a.org:80@evil.org/", b"Host: a.org", version=version)) is BAD_HOST
    assert answer_to(ask(b"http://a.org\\@evil.org/", b"Host: a.org", version=version)) is BAD_HOST


@pytest.mark.parametrize(("method", "target"), [(b"OPTIONS", b"*"), (b"CONNECT", b"a.org:443"), (b"GET", b"x")])
def test_what_has_no_path(method: bytes, target: bytes) -> None:
    assert answer_to(ask(target, b"Host: a.org", method=method)) is BAD_REQUEST


def test_no_request() -> None:
    assert answer_to(b"SSH-2.0-x\r\n") is BAD_REQUEST


HOSTS = st.sampled_from(["a.org", "a.org:80", "A.org.", "[::1]"])
CHARACTERS = st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f")
STARTS = st.sampled_from(["", "/", "//", "http://", "http://a.org"])


@given(HOSTS | st.text(CHARACTERS, max_size=30), st.text(CHARACTERS, max_size=30), STARTS)
def test_never_another_host(host: str, target: str, start: str) -> None:
    wire = ask((start + target or "/").encode("latin-1"), b"Host: " + host.encode("latin-1"))
    answer = answer_to(wire)
    head, _, _ = answer.wire.partition(b"\r\n\r\n")
    assert len(head.split(b"\r\n")) in (5, 6)
    if answer.status == 308:
        parts = urlsplit(parse_response(answer.wire)[0].headers["Location"])
        assert parts.scheme == "https"
        assert parts.netloc == host.rpartition(":")[0].lower().removesuffix(".") or parts.netloc == host.lower().removesuffix(
            "."
        )
        assert not parts.fragment
        assert parts.path.startswith("/")


@pytest.mark.parametrize(
    "text", ["", "http", "https:", "https:0", "https:65536", "https:080", "https://a.org", "HTTPS", "https:8443\n"]
)
def test_what_the_configuration_may_not_say(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected 'https' or 'https:PORT', found "):
        Redirect.of(text)


def test_it_answers_once_and_belongs_to_no_service(reactor: HandReactor) -> None:
    answers = Answers()
    client, arrival = arrive(ask(b"/x", b"Host: h"))
    arrival.service = RoutedService("a", Limits(), as_reactor(reactor), answers)  # which had it, and is there no more
    Redirect.of("https", answers).put_through(arrival)
    assert [answer.status for answer in answers.kinds] == [308]
    assert arrival.service is None
    client.close()
