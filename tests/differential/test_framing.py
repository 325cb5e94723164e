"""What two well-known routers refuse as ambiguous must not pass here, and what is sound must arrive byte for byte.

Hop-by-hop fields end here by design (RFC 9110 section 7.6.1), and two fields come in; `docs/targets/tcp.md` lists them.
"""

import pytest

from .cases import REQUESTS, RESPONSES, TOKEN
from .complete import is_complete, passed_on
from .routers import Seen, Way, token_of

HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"x-mine"}
ADDED = {b"x-forwarded-for", b"x-forwarded-proto"}


def fields_of(wire: bytes) -> tuple[bytes, list[bytes], bytes]:
    """First line, the fields that go from end to end (the coding's last, as it is said anew), and the body."""
    head, _, body = wire.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].lower() not in HOP | ADDED]
    return first, sorted(kept, key=lambda line: line.lower().startswith(b"transfer-encoding")), body


@pytest.fixture(scope="module", params=[False, True], ids=["first", "second"])
def requests(request: pytest.FixtureRequest, ways: dict[str, Way]) -> tuple[bool, dict[str, list[Seen]]]:
    again: bool = request.param
    return again, {name: way.requests(REQUESTS, again) for name, way in ways.items()}


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "in pieces"])
def responses(request: pytest.FixtureRequest, ways: dict[str, Way]) -> dict[str, list[Seen]]:
    return {name: way.responses(RESPONSES, request.param) for name, way in ways.items()}


def test_there_are_several_hundred(requests: tuple[bool, dict[str, list[Seen]]]) -> None:
    assert len(REQUESTS) > 250
    assert len(RESPONSES) > 200
    _, seen = requests
    refused_by_both = [
        case
        for case, *both in zip(REQUESTS, seen["nginx"], seen["haproxy"], strict=True)
        if not any(each.forwarded for each in both)
    ]
    assert len(refused_by_both) > 70  # else the comparison says nothing


def test_no_request_passes_that_both_peers_refuse(requests: tuple[bool, dict[str, list[Seen]]]) -> None:
    _, seen = requests
    passed = [
        case.wire[:200]
        for case, ours, nginx, haproxy in zip(REQUESTS, seen["portico"], seen["nginx"], seen["haproxy"], strict=True)
        if ours.forwarded and not nginx.forwarded and not haproxy.forwarded
    ]
    assert passed == []


def test_sound_requests_arrive(requests: tuple[bool, dict[str, list[Seen]]]) -> None:
    again, seen = requests
    for number, (case, ours) in enumerate(zip(REQUESTS, seen["portico"], strict=True)):
        if not case.sound:
            continue
        wire = case.wire.replace(TOKEN, token_of("request", number, again))
        assert [fields_of(each) for each in ours.forwarded] == [fields_of(wire)], wire[:200]
        assert ours.status == 200, wire[:200]


def test_what_is_refused_is_said_so(requests: tuple[bool, dict[str, list[Seen]]]) -> None:
    """Nothing hangs, and no refused request has reached the server in part."""
    _, seen = requests
    for case, ours in zip(REQUESTS, seen["portico"], strict=True):
        if not ours.forwarded:
            assert ours.status in (0, 400, 404, 408, 431, 505), case.wire[:200]
        else:
            assert ours.status == 200, (case.wire[:200], ours.answer[:100])


def test_one_request_is_one_request(requests: tuple[bool, dict[str, list[Seen]]]) -> None:
    again, seen = requests
    for number, ours in enumerate(seen["portico"]):
        token = token_of("request", number, again)
        assert sum(each.count(token) for each in ours.forwarded) <= 1


def test_no_response_passes_that_neither_peer_passes_on(responses: dict[str, list[Seen]]) -> None:
    """Whether a peer says 502, breaks it off, or hangs. What is broken off here as well has not passed."""
    ways = (responses[name] for name in ("portico", "nginx", "haproxy"))
    cases = list(zip(RESPONSES, *ways, strict=True))
    by_neither = [(case, ours) for case, ours, *peers in cases if not case.sound and not any(map(passed_on, peers))]
    assert len(by_neither) > 40  # else the comparison says nothing
    assert [case.wire[:200] for case, ours in by_neither if passed_on(ours)] == []


def test_no_client_waits_for_the_rest_of_a_bad_response(responses: dict[str, list[Seen]]) -> None:
    """It is replaced by a whole answer, or broken off by the end of the connection, and that is not silence and not a reset."""
    for case, ours in zip(RESPONSES, responses["portico"], strict=True):
        assert ours.ended, case.wire[:200]
        assert ours.status not in (0, 504), case.wire[:200]
        assert ours.status != 502 or is_complete(ours), case.wire[:200]


def test_sound_responses_arrive(responses: dict[str, list[Seen]]) -> None:
    for case, ours in zip(RESPONSES, responses["portico"], strict=True):
        if case.sound:
            expected_first, fields, body = fields_of(case.wire)
            first, got_fields, got_body = fields_of(ours.answer)
            assert first == expected_first.replace(b"HTTP/1.0", b"HTTP/1.1"), case.wire[:200]
            assert (got_fields, got_body) == (fields, body), case.wire[:200]


def test_a_response_that_is_not_sound_is_whole_or_refused(responses: dict[str, list[Seen]]) -> None:
    """Whatever passes is what the server said, or breaks off: nothing is made up."""
    for case, ours in zip(RESPONSES, responses["portico"], strict=True):
        if ours.status != 502:
            _, _, body = fields_of(case.wire)
            _, _, got = fields_of(ours.answer)
            assert body.startswith(got), case.wire[:200]
