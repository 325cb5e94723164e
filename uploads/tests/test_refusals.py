"""Refusals as whole answers."""

import errno

import pytest
from uploadsvc import refusals
from uploadsvc.refusals import Refusal, bad_name, not_allowed, of_error


def test_raw_answer_is_complete_and_closes() -> None:
    raw = Refusal(413, "Too much.", ((b"X-Why", b"size"),)).raw_and_closing()
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 413 Request Entity Too Large"
    assert {b"Connection: close", b"X-Why: size", b"Content-Length: 10", b"X-Content-Type-Options: nosniff"} <= set(lines)
    assert body == b"Too much.\n"


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENOSPC, 507),
        (errno.EDQUOT, 507),
        (errno.EMFILE, 503),
        (errno.ENFILE, 503),
        (errno.EFBIG, 413),
        (errno.EISDIR, 409),
        (errno.EEXIST, 412),
        (errno.ENAMETOOLONG, 400),
        (errno.EIO, 500),
    ],
)
def test_errors_of_the_file_system(number: int, status: int) -> None:
    assert of_error(OSError(number, "x")).status == status


@pytest.mark.parametrize("error", [ValueError("x"), OSError("no number"), None])
def test_other_errors_are_ours(error: Exception | None) -> None:
    assert of_error(error) is refusals.FAILED


def test_not_allowed_says_what_is() -> None:
    assert not_allowed(b"GET").headers == ((b"Allow", b"GET"),)


def test_bad_name_says_why() -> None:
    assert bad_name("too long").body == b"Not a name for an upload: too long.\n"


def test_a_non_ascii_reason_counts_in_bytes() -> None:
    assert b"Content-Length: 3\r\n" in Refusal(400, "ü").raw_and_closing()
