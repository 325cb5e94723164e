"""Each answer is a well-formed HTTP response, as a strict enough reader sees it."""

import pytest
from portico.core import answers
from portico.core.answers import RETRY_AFTER, Answer
from portico.core.termination import PHASES, WHO

from .support.wires import parse_response

ALL = {name: value for name, value in vars(answers).items() if isinstance(value, Answer)}
WORDED = {name: value for name, value in ALL.items() if value.wire}
STATUSES = {
    "BAD_REQUEST": 400,
    "NO_ROUTE": 404,
    "TOO_MANY": 429,
    "MANY_FIELDS": 431,
    "HEAD_TIMEOUT": 408,
    "MISDIRECTED": 421,
    "HEAD_TOO_LARGE": 431,
    "BAD_GATEWAY": 502,
    "NO_REPLICA": 503,
    "GATEWAY_TIMEOUT": 504,
    "VERSION": 505,
}


def test_every_answer_is_exported_and_has_its_status() -> None:
    assert set(ALL) <= set(answers.__all__)
    statuses = {name: answer.status for name, answer in WORDED.items()}
    assert statuses.items() >= STATUSES.items()
    assert all(400 <= status < 600 for status in statuses.values())


@pytest.mark.parametrize("answer", WORDED.values(), ids=WORDED)
def test_well_formed(answer: Answer) -> None:
    response, body = parse_response(answer.wire)
    head, separator, after = answer.wire.partition(b"\r\n\r\n")
    assert separator
    assert response.version == 11
    assert response.status == answer.status
    assert response.reason
    assert int(response.headers["Content-Length"]) == len(body) == len(after)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Connection"] == "close"
    assert response.headers["Cache-Control"] == "no-store"
    assert not response.headers.defects
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert body.decode("utf-8") == f"{answer.status} {response.reason}: {answer.why}.\n"


@pytest.mark.parametrize("answer", ALL.values(), ids=ALL)
def test_who_ended_it_and_when_is_known(answer: Answer) -> None:
    who, phase = tuple(answer.ended)
    assert who in WHO
    assert phase in PHASES


def test_only_what_passes_asks_to_come_again() -> None:
    for answer in WORDED.values():
        response, _ = parse_response(answer.wire)
        assert response.headers["Retry-After"] == (str(RETRY_AFTER) if answer.status in (429, 503) else None)


def test_a_close_without_a_word_has_a_reason_for_the_log() -> None:
    silent = {name: answer for name, answer in ALL.items() if not answer.wire}
    assert silent
    assert all(answer.status == 0 and answer.why for answer in silent.values())
