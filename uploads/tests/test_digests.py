"""Content-Digest and Repr-Digest."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uploadsvc.digests import BAD_DIGEST, digests_of, wants_sha256

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


def test_the_answer_has_what_was_asked_for(service: Any) -> None:
    connection = service.connect()
    status, headers, body = connection.ask("PUT", "/uploads/x", BODY)
    assert status == 201 and "repr-digest" not in headers and json.loads(body)["sha256"] is None
    assert connection.ask("PUT", "/uploads/x", BODY, Content_Digest=RIGHT)[1]["repr-digest"] == RIGHT
    assert connection.ask("PUT", "/uploads/x", BODY, Content_Digest=WRONG)[0] == 400
    assert connection.ask("PUT", "/uploads/x", BODY, Want_Repr_Digest="sha-256=10")[1]["repr-digest"] == RIGHT


@pytest.mark.parametrize(
    ("wish", "expected"), [({}, None), ({"Want_Repr_Digest": "sha-256=1"}, hashlib.sha256(BODY).hexdigest())]
)
def test_so_has_the_answer_to_a_form(service: Any, wish: dict[str, str], expected: str | None) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="f"; filename="b"\r\n\r\n' + BODY + b"\r\n--b--\r\n"
    answer = service.connect().ask("POST", "/uploads/", form, Content_Type="multipart/form-data; boundary=b", **wish)
    assert [file["sha256"] for file in json.loads(answer[2])] == [expected]


def test_the_answer_always_has_it_where_the_operator_says_so(make_uploads: Callable[..., Any]) -> None:
    connection = make_uploads(sha256="always").connect()
    assert connection.ask("PUT", "/uploads/x", BODY)[1]["repr-digest"] == RIGHT
    assert connection.ask("PUT", "/uploads/x", BODY, Want_Repr_Digest="sha-256=0")[1]["repr-digest"] == RIGHT


@pytest.mark.parametrize(
    ("wish", "wanted"),
    [
        (None, False),
        (b"", False),
        (b"sha-256=1", True),
        (b"sha-512=10, sha-256=3", True),
        (b"sha-256=10,sha-512=2", True),
        (b"sha-256", True),
        (b"sha-256=0", False),
        (b"sha-256=5, sha-256=0", False),
        (b"sha-512=1", False),
        (b"sha-256=11", False),
        (b"sha-256=-1", False),
        (b"sha-256=1 sha-512=1", False),
        (b"sha-256=1, =", False),
        (b"SHA-256=1", False),
    ],
)
def test_a_wish(wish: bytes | None, wanted: bool) -> None:
    assert wants_sha256({b"Want-Repr-Digest": wish}.get) is wanted


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    for given_value in (value, b"sha-256=:" + value + b":"):
        found = digests_of({b"Content-Digest": given_value}.get)
        assert found == BAD_DIGEST or isinstance(found, dict)
        assert wants_sha256({b"Want-Repr-Digest": given_value}.get) in (True, False)
