"""What the head alone decides, row by row."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uploadsvc.intake import Intake, Place, Ticket, find
from uploadsvc.refusals import Refusal
from uploadsvc.store import Store

from .held import at_once


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    store = Store(tmp_path)
    store.prepare(0)
    return Intake(store, at_once, max_size=100, parallel=1)


def judged(intake: Intake, method: bytes, target: bytes, length: int | None = 0, **headers: bytes) -> object:
    found = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    result = intake.judge(method, target, found.get, length)
    return result.status if isinstance(result, Refusal) else result


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (b"/uploads", Place(slash_forgotten=True)),
        (b"/uploads/", Place()),
        (b"/uploads/x", Place("x")),
        (b"/uploads/x%25", Place("x%")),
    ],
)
def test_find(path: bytes, place: Place) -> None:
    assert find(path) == place


@pytest.mark.parametrize(
    ("path", "status"), [(b"/", 404), (b"/uploadsx", 404), (b"*", 404), (b"/uploads/a/b", 400), (b"/uploads/.x", 400)]
)
def test_find_refuses(path: bytes, status: int) -> None:
    found = find(path)
    assert isinstance(found, Refusal) and found.status == status


@pytest.mark.parametrize(
    ("method", "target", "length", "headers", "expected"),
    [
        (b"PUT", b"/uploads/x", 100, {"Content_Length": b"100"}, Ticket("x", False)),
        (b"PUT", b"/uploads/x", 101, {"Content_Length": b"101"}, 413),
        (b"PUT", b"/uploads/x", None, {"Transfer_Encoding": b"chunked"}, Ticket("x", False)),
        (b"PUT", b"/uploads/x", 0, {"Content_Length": b"0"}, Ticket("x", False)),
        (b"PUT", b"/uploads/x", 0, {}, 411),
        (b"PUT", b"/uploads/x", 1, {"Content_Length": b"1", "Content_Range": b"bytes 0-0/9"}, 400),
        (b"PUT", b"/uploads/x", 1, {"Content_Length": b"1", "Content_Encoding": b"gzip"}, 415),
        (b"PUT", b"/uploads/x", 1, {"Content_Length": b"1", "Content_Encoding": b"Identity"}, Ticket("x", False)),
        (b"PUT", b"/uploads/x", 1, {"Content_Length": b"1", "If_None_Match": b"*"}, Ticket("x", True)),
        (b"PUT", b"/uploads/old", 1, {"Content_Length": b"1", "If_None_Match": b"*"}, 412),
        (b"PUT", b"/uploads/old", 1, {"Content_Length": b"1", "If_Match": b"*"}, Ticket("old", False)),
        (b"PUT", b"/uploads/x", 1, {"Content_Length": b"1", "If_Match": b"*"}, 412),
        (b"PUT", b"/uploads/old", 1, {"Content_Length": b"1", "If_Match": b'"other"'}, 412),
        (b"PUT", b"/uploads/", 1, {}, 405),
        (b"PUT", b"/uploads", 1, {}, 405),
        (b"PUT", b"/uploads/%zz", 1, {}, 400),
        (b"PUT", b"/uploads/a%00b", 1, {}, 400),
        (b"PUT", b"/elsewhere", 1, {}, 404),
        (b"POST", b"/uploads/x", 1, {}, 405),
        (b"POST", b"/uploads/x", 0, {}, 405),
        (b"put", b"/uploads/x", 0, {}, 405),
        (b"DELETE", b"/uploads/", 0, {}, 405),
        (b"GET", b"/uploads/x", 0, {}, None),
        (b"GET", b"/uploads/x", 1, {}, 400),
        (b"GET", b"/uploads/x", None, {}, 400),
        (b"OPTIONS", b"/uploads/", 0, {}, None),
        (b"DELETE", b"/uploads/x", 0, {}, None),
    ],
)
def test_judge(
    intake: Intake, method: bytes, target: bytes, length: int | None, headers: dict[str, bytes], expected: object
) -> None:
    (intake.store.root / "old").touch()
    assert judged(intake, method, target, length, **headers) == expected


def test_name_is_normalised(intake: Intake) -> None:
    assert judged(intake, b"PUT", "/uploads/u\u0308".encode(), None) == Ticket("ü", False)
    assert judged(intake, b"PUT", b"/uploads/y/../%78?q=/..", None) == Ticket("x", False)


class Deaf:
    def full(self) -> None: ...
    def flowing(self) -> None: ...
    def failed(self, reason: object) -> None: ...


def test_places_are_counted_until_the_sink_is_closed(intake: Intake) -> None:
    first = intake.begin(Deaf(), intake.store.new_part())
    assert judged(intake, b"PUT", b"/uploads/x", None) == 503
    assert judged(intake, b"GET", b"/uploads/x") is None, "reading is not limited by it"
    first.finish("x", False)
    assert judged(intake, b"PUT", b"/uploads/x", None) == Ticket("x", False)
    intake.begin(Deaf(), intake.store.new_part()).abort()
    assert intake.under_way == 0


@given(st.binary(max_size=60))
def test_no_target_leads_outside(tail: bytes) -> None:
    intake = Intake(Store(Path("/nonexistent")), at_once, 10, 1)
    result = intake.judge(b"PUT", b"/uploads/" + tail, dict[bytes, bytes]().get, None)
    assert isinstance(result, Refusal | Ticket)
    if isinstance(result, Ticket):
        assert "/" not in result.name and not result.name.startswith(".") and "\0" not in result.name
