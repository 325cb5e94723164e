"""Concatenation: parts that become one file."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from .tus_client import BODY, BOTH, Client, final, finals, part


@BOTH
def test_parts_become_one(service: Any, client: Client) -> None:
    one, two = part(client, BODY[:3000]), part(client, BODY[3000:])
    assert finals(service) == {}, "a part is no file"
    assert client.ask("HEAD", one)[1]["upload-concat"] == "partial"
    status, headers, _ = final(client, one, "http://x" + two)
    assert status == 201 and finals(service) == {"whole": BODY}
    status, found, _ = client.ask("HEAD", headers["location"])
    assert (found["upload-offset"], found["upload-length"]) == (str(len(BODY)), str(len(BODY)))
    assert found["upload-concat"] == f"final;{one} http://x{two}"
    assert Client(service).patch(headers["location"], len(BODY), b"x")[0] == 403
    assert final(client, one, two)[0] == 201, "a client that has not got the answer asks again"
    assert final(client, two, one, two)[0] == 201
    assert finals(service) == {"whole": BODY[3000:] + BODY[:3000] + BODY[3000:]}


def test_parts_that_do_not_make_one(make_uploads: Callable[..., Any]) -> None:
    service = make_uploads(max_size=10)
    client = Client(service)
    unfinished, no_part = client.create(5, None, Upload_Concat="partial"), client.create(2)
    one, two = part(client, b"123456"), part(client, b"123456")
    assert final(client, one, unfinished)[0] == 400
    assert final(client, one, no_part)[0] == 400
    assert final(client, one, two)[0] == 413
    assert finals(service) == {}
    (service.root / "whole").write_bytes(b"old")
    assert final(client, one, If_None_Match="*")[0] == 412
    (service.root / "whole").unlink()
    (service.root / "whole").mkdir()
    assert final(client, one)[0] == 409, "and nothing is left of it"
    assert len(list((service.root / ".tus").iterdir())) == 4


def test_where_the_kernel_cannot_copy(service: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> int:
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "copy_file_range", cannot)
    assert final(client, part(client, BODY[:3000]), part(client, BODY[3000:]))[0] == 201
    assert finals(service) == {"whole": BODY}
