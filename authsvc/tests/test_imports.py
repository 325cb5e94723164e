"""Files of an Apache: as its own tools write them, and as nobody should."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from authsvc.foreign import MAX_BCRYPT_COST, check_foreign, verify_foreign
from authsvc.hashing import hash_password, is_outdated, verify_password
from authsvc.imports import read_htdigest, read_htpasswd
from svckit.auth.limits import MAX_REALM, MAX_USER

BCRYPT = "$2y$05$vsEYw8qZttwJZQCIVEAFxu4qqjhTF1njS0YQDjxW4M8Aciw3QpWjK"
APR1 = "$apr1$vep2mRBt$vkJb1ay524HEqdfhfL2yD1"
SHA = "{SHA}tiY7sUhYKUwI5L3866kDY+ENcrQ="


@pytest.mark.parametrize("stored", [BCRYPT, BCRYPT.replace("$2y", "$2b"), BCRYPT.replace("$2y", "$2a"), APR1, SHA])
def test_each_kind_of_hash(stored: str) -> None:
    for verify in (verify_foreign, verify_password):
        assert verify(stored, b"wonderland")
        for wrong in (b"", b"Wonderland", b"wonderland\0", b"\xff", b"x" * 1000):
            assert not verify(stored, wrong)
    assert is_outdated(stored)
    assert not is_outdated(hash_password(b"x"))
    assert is_outdated("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA")


def test_bcrypt_never_takes_two_long_passwords_for_the_same() -> None:
    from bcrypt import gensalt, hashpw

    stored = hashpw(b"x" * 72, gensalt(4)).decode()
    assert verify_foreign(stored, b"x" * 72)
    assert not verify_foreign(stored, b"x" * 73)


def test_a_wrong_password_takes_no_less_than_that_of_an_unknown_user(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []
    monkeypatch.setattr("authsvc.hashing.hash_password", hashed.append)
    assert not verify_password(SHA, b"wrong")
    assert hashed == [b"wrong"]


@pytest.mark.parametrize(
    "stored",
    ["", "wonderland", "rqXexS6ZhobKA", "$1$abc$x", "$6$a$b", BCRYPT[:-1], BCRYPT + "x", APR1 + "x", SHA[:-1], "{SSHA}x"],
)
def test_other_hashes_are_not_taken(stored: str) -> None:
    for function in (check_foreign, lambda one: verify_foreign(one, b"x")):
        with pytest.raises(ValueError, match="not a hash by bcrypt, apr1 or SHA-1"):
            function(stored)


def test_a_hash_that_would_take_minutes() -> None:
    check_foreign(BCRYPT.replace("$05$", f"${MAX_BCRYPT_COST}$"))
    with pytest.raises(ValueError, match="cost 15; at most 14"):
        check_foreign(BCRYPT.replace("$05$", f"${MAX_BCRYPT_COST + 1}$"))


def test_an_htpasswd_file() -> None:
    text = f"# users\nalice:{BCRYPT}\r\n\n  bob:{APR1}  \nJ\u00e4s\u00f8n:{SHA}".encode()
    assert [(record.name.decode(), record.password, record.ha1) for record in read_htpasswd(text)] == [
        ("alice", BCRYPT, {}),
        ("bob", APR1, {}),
        ("J\u00e4s\u00f8n", SHA, {}),
    ]


def test_an_htdigest_file() -> None:
    text = b"alice:portico:" + b"A" * 32 + b"\nbob:a:b:" + b"b" * 32 + b"\n"
    assert [(record.name, record.password, record.ha1) for record in read_htdigest(text)] == [
        (b"alice", "", {(b"portico", "MD5"): b"a" * 32}),
        (b"bob", "", {(b"a:b", "MD5"): b"b" * 32}),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"alice", "expected USER:HASH"),
        (b":" + SHA.encode(), "1 to 255 bytes"),
        (b"u" * (MAX_USER + 1) + b":" + SHA.encode(), "1 to 255 bytes"),
        (b"al\x01ce:" + SHA.encode(), "control characters"),
        (b"alice:plain-secret", "not a hash"),
        (b"alice:\xff", "not a hash"),
    ],
)
def test_what_is_wrong_in_an_htpasswd_file_is_named_by_its_line(line: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f"line 2: .*{reason}") as refused:
        read_htpasswd(b"bob:" + SHA.encode() + b"\n" + line)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"alice", "expected USER:REALM:HASH"),
        (b"alice:" + b"a" * 32, "expected USER:REALM:HASH"),
        (b"alice:r:" + b"a" * 31, "32 hex digits"),
        (b"alice:r:" + b"g" * 32, "32 hex digits"),
        (b"alice::" + b"a" * 32, "a realm has"),
        (b"alice:" + b"r" * (MAX_REALM + 1) + b":" + b"a" * 32, "a realm has"),
        (b":r:" + b"a" * 32, "1 to 255 bytes"),
    ],
)
def test_what_is_wrong_in_an_htdigest_file_is_named_by_its_line(line: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f"line 1: .*{reason}"):
        read_htdigest(line)


@pytest.mark.skipif(
    shutil.which("htpasswd") is None and os.environ.get("PORTICO_REQUIRE_PROGRAMS") != "1", reason="htpasswd is not installed"
)
@pytest.mark.parametrize("kind", ["-B", "-m", "-s"])
def test_what_htpasswd_itself_writes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    subprocess.run(
        ["htpasswd", "-c", "-i", kind, path, "alice"], input=b"wonderland", check=True, timeout=30, capture_output=True
    )
    (record,) = read_htpasswd(path.read_bytes())
    assert record.name == b"alice"
    assert verify_foreign(record.password, b"wonderland")


def test_an_htdigest_line_is_the_h_a1_of_rfc_7616() -> None:
    ha1 = hashlib.md5(b"alice:portico:wonderland").hexdigest().encode()
    (record,) = read_htdigest(b"alice:portico:" + ha1)
    assert record.ha1[b"portico", "MD5"] == ha1
