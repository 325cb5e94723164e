"""Content-Digest and Repr-Digest."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uploadsvc.digests import BAD_DIGEST, digests_of

BODY = bytes(range(256))


def field(data: bytes, name: str = "sha-256") -> str:
    digest = hashlib.new(name.replace("-", ""), data).digest()
    return f"{name}=:{base64.b64encode(digest).decode()}:"


RIGHT, WRONG = field(BODY), field(b"other")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Digest": RIGHT}, 201),
        ({"Repr_Digest": RIGHT}, 201),
        ({"Content_Digest": RIGHT, "Repr_Digest": RIGHT}, 201),
        ({"Content_Digest": RIGHT + ", " + field(BODY, "sha-512")}, 201),
        ({"Content_Digest": field(BODY, "sha-512")}, 201),
        ({"Content_Digest": "md5=:AAAA:, unixsum=:AA==:"}, 201),
        ({"Content_Digest": WRONG}, 400),
        ({"Repr_Digest": WRONG}, 400),
        ({"Content_Digest": RIGHT, "Repr_Digest": WRONG}, 400),
        ({"Content_Digest": RIGHT + "," + field(b"other", "sha-512")}, 400),
        ({"Content_Digest": "sha-256=:AAAA:"}, 400),
        ({"Content_Digest": "sha-256=abc"}, 400),
        ({"Content_Digest": RIGHT + ";"}, 400),
        ({"Content_Digest": "sha-256=:AAAAA:"}, 400),
        ({"Content_Digest": "sha-256"}, 400),
    ],
)
def test_put(service: Any, headers: dict[str, str], status: int) -> None:
    (service.root / "old").write_bytes(b"old")
    connection = service.connect()
    assert connection.ask("PUT", "/uploads/x", BODY, **headers)[0] == status
    assert service.files() == ({"old": b"old", "x": BODY} if status == 201 else {"old": b"old"})


def test_a_wrong_digest_of_a_chunked_body_keeps_the_connection(service: Any) -> None:
    connection = service.connect()
    body = b"3\r\nabc\r\n0\r\n\r\n"
    assert connection.ask("PUT", "/uploads/x", body, Transfer_Encoding="chunked", Repr_Digest=WRONG)[0] == 400
    assert connection.ask("PUT", "/uploads/x", body, Transfer_Encoding="chunked", Repr_Digest=field(b"abc"))[0] == 201


def test_no_digest_where_nobody_wants_one(make_uploads: Callable[..., Any]) -> None:
    connection = make_uploads(sha256=False).connect()
    status, headers, body = connection.ask("PUT", "/uploads/x", BODY)
    assert status == 201 and "repr-digest" not in headers and json.loads(body)["sha256"] is None
    assert connection.ask("PUT", "/uploads/x", BODY, Content_Digest=RIGHT)[1]["repr-digest"] == RIGHT
    assert connection.ask("PUT", "/uploads/x", BODY, Content_Digest=WRONG)[0] == 400


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    for given_value in (value, b"sha-256=:" + value + b":"):
        found = digests_of({b"Content-Digest": given_value}.get)
        assert found == BAD_DIGEST or isinstance(found, dict)
