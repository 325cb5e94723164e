"""Uploads that nobody goes on with."""

import json
import os
import time
from typing import Any

import pytest
from uploadsvc.tus.shelf import HALF_MADE, KEPT_AFTER_USE, Shelf

from .limited import files_of
from .tus_client import BODY, BOTH, Client, final, finals, metadata, part, patch_head


def age(service: Any, where: str, seconds: float) -> None:
    folder = service.root / ".tus" / where.rpartition("/")[2]
    then = time.time() - seconds
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))


def test_expiry(service: Any, client: Client) -> None:
    shelf, now = Shelf(service.site.intake.store), time.time()
    young, old, busy, done = (client.create(name=name) for name in "abcd")
    client.patch(done, 0, BODY)
    hanging = service.connect()
    hanging.send(patch_head(busy, 0, len(BODY)) + BODY[:10])
    for where in (old, busy, done):
        age(service, where, 3700)
    age(service, young, 3500)
    assert shelf.sweep(now, 3600) == 1
    assert [client.ask("HEAD", where)[0] for where in (young, old, done)] == [200, 404, 404]
    hanging.send(BODY[10:])
    assert hanging.answers()[0][0] == 204
    assert finals(service) == {"c": BODY, "d": BODY}


def test_one_that_goes_on_while_it_is_looked_at_stays(service: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    where, shelf = client.create(), Shelf(service.site.intake.store)
    age(service, where, 100)
    opened = Shelf.open

    def slow(shelf: Shelf, upload_id: str, ring: bool = True) -> Any:
        monkeypatch.setattr(Shelf, "open", opened)
        assert client.patch(where, 0, BODY[:-1])[0] == 204
        return opened(shelf, upload_id, ring)

    monkeypatch.setattr(Shelf, "open", slow)
    assert shelf.sweep(time.time(), 50) == 0
    assert client.offset(where) == len(BODY) - 1


def test_parts_that_were_used_go_sooner_and_what_is_half_made(service: Any, client: Client) -> None:
    shelf, now = Shelf(service.site.intake.store), time.time()
    one, other = part(client, BODY), part(client, BODY)
    final(client, one)
    half_made = service.root / ".tus" / ("0" * 32)
    half_made.mkdir()
    (half_made / "data").touch()
    for where in (one, other):
        age(service, where, KEPT_AFTER_USE + 10)
    age(service, str(half_made), HALF_MADE - 10)
    assert shelf.sweep(now, 36000) == 0
    assert [client.ask("HEAD", where)[0] for where in (one, other)] == [404, 200] and half_made.exists()
    age(service, str(half_made), HALF_MADE + 10)
    assert shelf.sweep(now, 36000) == 1 and not half_made.exists()


def test_one_that_a_crash_has_left_something_in_can_be_ended(service: Any, client: Client) -> None:
    where = client.create()
    folder = service.root / ".tus" / where.rpartition("/")[2]
    (folder / "info.new").write_bytes(b"{")
    assert client.ask("DELETE", where)[0] == 204 and not folder.exists()


def test_what_is_known_of_an_upload_is_there_in_full_or_not_at_all(service: Any, client: Client) -> None:
    with files_of(100):
        status, _, _ = client.ask(
            "POST", "/uploads/", b"", Upload_Length=5, Upload_Metadata=metadata(filename="x", of="y" * 200)
        )
    assert status == 413 and list((service.root / ".tus").iterdir()) == []
    client.create()


@BOTH
def test_the_list_does_not_show_what_is_not_whole(client: Client) -> None:
    client.create()
    assert json.loads(client.connection.ask("GET", "/uploads/")[2]) == []
