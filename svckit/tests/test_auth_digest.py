"""The Digest scheme."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svckit.auth import digest
from svckit.auth.errors import Malformed
from svckit.auth.limits import MAX_CNONCE, MAX_REALM, MAX_URI, MAX_USER
from svckit.auth.params import read_params
from twisted.cred.credentials import IUsernameDigestHash, IUsernameHashedPassword
from zope.interface.verify import verifyObject

REALM, URI = b"http-auth@example.org", b"/dir/index.html"
EXAMPLE = (  # RFC 7616 section 3.9.1
    b'username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=%b, '
    b'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    b'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="%b", '
    b'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
SHA256 = EXAMPLE % (b"SHA-256", b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
MD5 = EXAMPLE % (b"MD5", b"8ca523f5e9506fed4657c9700eebdbec")


def read(text: bytes, method: bytes = b"GET", uri: bytes = URI, realm: bytes = REALM) -> digest.DigestCredentials:
    return digest.read(text, method, uri, realm)


def without(text: bytes, name: str) -> bytes:
    return b", ".join(part for part in text.split(b", ") if not part.startswith(name.encode() + b"="))


@pytest.mark.parametrize(("text", "algorithm"), [(SHA256, "SHA-256"), (MD5, "MD5")])
def test_the_examples_of_the_rfc(text: bytes, algorithm: str) -> None:
    found = read(text)
    assert (found.username, found.algorithm, found.nc) == (b"Mufasa", algorithm, 1)
    assert found.checkPassword(b"Circle of Life")
    assert found.checkHash(digest.make_ha1(algorithm, b"Mufasa", REALM, b"Circle of Life"))
    assert not found.checkPassword(b"Circle of Lif")


def test_credentials_are_what_twisted_takes_them_for() -> None:
    found = read(SHA256)
    for interface in (digest.IDigestCredentials, IUsernameHashedPassword, IUsernameDigestHash):
        assert verifyObject(interface, found)


def test_credentials_do_not_show_the_answer() -> None:
    assert "753927fa" not in repr(read(SHA256))


def test_another_method_or_realm_makes_another_answer() -> None:
    assert not read(SHA256, method=b"DELETE").checkPassword(b"Circle of Life")
    with pytest.raises(Malformed, match="realm"):
        read(SHA256, realm=b"another")


def test_an_answer_for_another_uri_is_refused() -> None:
    for uri in (b"/secret", b"/dir/index.html?q", b"/dir/index.html/", b"/dir/INDEX.html", b"/dir//index.html", b""):
        with pytest.raises(Malformed, match="uri"):
            read(SHA256, uri=uri)


@pytest.mark.parametrize("name", ["username", "realm", "uri", "nonce", "nc", "cnonce", "qop", "response"])
def test_every_parameter_is_needed(name: str) -> None:
    """Without qop, nc and cnonce it would be RFC 2069, which replays at will."""
    with pytest.raises(Malformed, match=name):
        read(without(SHA256, name))


def test_no_algorithm_means_md5_and_no_opaque_is_missed() -> None:
    found = read(without(without(MD5, "algorithm"), "opaque"))
    assert found.algorithm == "MD5"
    assert found.checkPassword(b"Circle of Life")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"algorithm=SHA-256", b"algorithm=SHA-256-sess"),
        (b"algorithm=SHA-256", b"algorithm=SHA-512-256"),
        (b"algorithm=SHA-256", b"algorithm=MD5"),  # 64 digits of response
        (b"algorithm=SHA-256", b"algorithm=bogus"),
        (b"algorithm=SHA-256", b'algorithm="\xc3\xa4"'),
        (b"qop=auth,", b"qop=auth-int,"),
        (b"qop=auth,", b'qop="auth,auth-int",'),
        (b"qop=auth,", b'qop="",'),
        (b"nc=00000001", b"nc=1"),
        (b"nc=00000001", b"nc=00000000"),
        (b"nc=00000001", b"nc=0000000g"),
        (b"nc=00000001", b"nc=000000001"),
        (b"nc=00000001", b'nc="0x000001"'),
        (b"nc=00000001", b'nc="-0000001"'),
        (b"nc=00000001", b'nc="0000_001"'),
        (b"nc=00000001", b'nc="\xd9\xa1\xd9\xa1\xd9\xa1\xd9\xa1"'),
        (b"nc=00000001", b"nc=0000000A"),
        (b'response="7539', b'response="753'),
        (b'response="7539', b'response="g539'),
        (b'cnonce="f2', b'cnonce="\x01f2'),
        (b"opaque=", b"userhash=true, opaque="),
        (b'username="Mufasa"', b'username=""'),
        (b'username="Mufasa"', b"username*=UTF-8''%"),
        (b'username="Mufasa"', b"username*=UTF-8''"),
        (b'username="Mufasa"', b"username*=ISO-8859-1''Mufasa"),
        (b'username="Mufasa"', b"username*=UTF-8''Mufasa%00"),
        (b'username="Mufasa"', b"username*=UTF-8''Mufasa, username=x"),
        (b'username="Mufasa"', b'username="Mufasa", username="Mufasa"'),
    ],
)
def test_malformed(old: bytes, new: bytes) -> None:
    assert old in SHA256
    with pytest.raises(Malformed):
        read(SHA256.replace(old, new))


def test_case_and_quotes_do_not_matter_where_the_rfc_says_so() -> None:
    text = SHA256.replace(b"algorithm=SHA-256", b'ALGORITHM="sha-256"').replace(b"qop=auth,", b'qop="auth",')
    text = text.replace(b"nc=00000001", b'nc="00000001"').replace(b"opaque=", b"userhash=false, new-in-2030=x, opaque=")
    assert read(text).checkPassword(b"Circle of Life")


def test_a_name_that_fits_no_quoted_string() -> None:
    """RFC 7616 section 3.9.2 spells it so."""
    found = read(SHA256.replace(b'username="Mufasa"', b"username*=UTF-8''J%C3%A4s%C3%B8n%20Doe"))
    assert found.username == "Jäsøn Doe".encode()


def test_a_name_with_a_quote_counts_without_its_backslash() -> None:
    assert read(SHA256.replace(b'"Mufasa"', b'"Mu\\"fa\\\\sa"')).username == b'Mu"fa\\sa'


@pytest.mark.parametrize(
    ("field", "limit"), [("username", MAX_USER), ("realm", MAX_REALM), ("uri", MAX_URI), ("cnonce", MAX_CNONCE)]
)
def test_the_limits(field: str, limit: int) -> None:
    parts: dict[str, Any] = {
        "username": b"u",
        "realm": b"r",
        "algorithm": "MD5",
        "method": b"GET",
        "uri": b"/",
        "nonce": b"n",
        "nc": 0xFFFFFFFF,
        "cnonce": b"c",
        "response": b"0" * 32,
    }
    assert getattr(digest.DigestCredentials(**{**parts, field: b"x" * limit}), field) == b"x" * limit
    with pytest.raises(Malformed, match=field):
        digest.DigestCredentials(**{**parts, field: b"x" * (limit + 1)})
    with pytest.raises(Malformed, match=field):
        digest.DigestCredentials(**{**parts, field: b""})
    for nc in (0, -1, 1 << 32):
        with pytest.raises(Malformed, match="nc"):
            digest.DigestCredentials(**{**parts, "nc": nc})


def test_every_beginning_of_an_answer_is_malformed() -> None:
    text = without(SHA256, "opaque")
    for end in range(len(text)):
        with pytest.raises(Malformed):
            read(text[:end])
    with pytest.raises(Malformed):
        read(text + b"x")


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=len(SHA256)))
def test_whatever_is_put_into_an_answer_raises_nothing_but_malformed(noise: bytes, at: int) -> None:
    for text in (noise, SHA256[:at] + noise, SHA256[:at] + noise + SHA256[at:]):
        try:
            found = read(text)
        except Malformed:
            continue
        assert found.uri == URI
        assert found.checkPassword(b"not this one") is False


def test_h_a1_is_as_the_htdigest_program_has_it() -> None:
    assert (
        digest.make_ha1("MD5", b"alice", b"site", b"wonderland").decode() == hashlib.md5(b"alice:site:wonderland").hexdigest()
    )


def test_the_challenge() -> None:
    text = digest.challenge("SHA-256", b"a realm", b"abc")
    assert text == b'Digest realm="a realm", qop="auth", algorithm=SHA-256, nonce="abc", charset=UTF-8'
    stale = digest.challenge("MD5", b"r", b"abc", stale=True)
    assert stale.endswith(b", stale=true")
    assert read_params(stale.removeprefix(b"Digest "))["stale"] == b"true"


def test_sha_256_is_offered_first() -> None:
    assert list(digest.ALGORITHMS) == ["SHA-256", "MD5"]
