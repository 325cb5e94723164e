"""GuardedSite in memory: what becomes of connections in a drain, and of those that ask for nothing."""

import pytest
from web_support import Table, get, put

# -- drain


def test_an_idle_connection_goes_back() -> None:
    table = Table().feed([get("/a/1")])
    table.channel.drain()
    assert table.handed_back == [b""]
    table.channel.drain()
    assert table.handed_back == [b""]
    assert not table.transport.disconnecting


def test_a_connection_that_has_asked_nothing_goes_back() -> None:
    table = Table()
    table.channel.drain()
    assert table.handed_back == [b""]


@pytest.mark.parametrize("before", [b"", get("/a/1")])
def test_half_a_request_line_goes_back(before: bytes) -> None:
    table = Table().feed([before + b"GET /a/2 HT"] if before else [b"GET /a/2 HT"])
    table.channel.drain()
    assert table.handed_back == [b"GET /a/2 HT"]


@pytest.mark.parametrize("before", [b"", get("/a/1")])
def test_half_a_head_is_read_and_answered_and_then_the_connection_goes_back(before: bytes) -> None:
    request = get("/a/2")
    table = Table().feed([before + request[:-10]] if before else [request[:-10]])
    table.channel.drain()
    assert table.handed_back == []
    table.feed([request[-10:]])
    assert table.answers[-1] == (200, b"</a/2>")
    assert table.handed_back == [b""]


def test_half_a_body_is_read_and_answered() -> None:
    request = put("/a/1", b"0123456789")
    table = Table().feed([request[:-5]])
    table.channel.drain()
    table.feed([request[-5:] + get("/a/2")])
    assert table.root.seen == [(b"PUT", b"/a/1", b"0123456789")]
    assert table.handed_back == [get("/a/2")]


def test_an_answer_under_way_is_finished_and_then_the_connection_goes_back() -> None:
    table = Table().feed([get("/a/slow") + get("/a/2")])
    table.root.slow[0].write(b"half")
    table.channel.drain()
    assert table.handed_back == []
    table.root.slow[0].finish()
    assert table.answers == [(200, b"half")]
    assert table.handed_back == [get("/a/2")]
    assert b"connection: close" not in table.transport.value().lower()


def test_a_last_answer_under_way_is_finished_and_closed() -> None:
    table = Table().feed([get("/a/slow", "Connection: close")])
    table.channel.drain()
    table.root.slow[0].finish()
    assert table.handed_back == []
    assert table.transport.disconnecting


def test_where_it_cannot_go_back_an_idle_one_is_closed() -> None:
    table = Table(returnable=False).feed([get("/a/1")])
    table.channel.drain()
    assert table.transport.disconnecting
    assert table.answers == [(200, b"</a/1>")]


@pytest.mark.parametrize("leased", [True, False])
def test_where_it_cannot_go_back_the_client_is_told_with_the_answer(leased: bool) -> None:
    table = Table(returnable=False, leased=leased).feed([get("/a/slow") + get("/a/2")])
    table.channel.drain()
    assert not table.transport.disconnecting
    table.root.slow[0].write(b"done")
    table.root.slow[0].finish()
    assert b"connection: close" in table.transport.value().lower()
    assert table.paths == [b"/a/slow"]
    assert table.transport.disconnecting


def test_where_it_cannot_go_back_an_answer_that_has_begun_is_finished() -> None:
    table = Table(returnable=False).feed([get("/a/slow")])
    table.root.slow[0].write(b"half")
    table.channel.drain()
    assert not table.transport.disconnecting
    table.root.slow[0].finish()
    assert table.transport.disconnecting
    assert table.answers == [(200, b"half")]


def test_where_it_cannot_go_back_half_a_head_is_answered_and_closed() -> None:
    request = get("/a/1")
    table = Table(returnable=False).feed([request[:-2]])
    table.channel.drain()
    assert not table.transport.disconnecting
    table.feed([request[-2:]])
    assert table.answers == [(200, b"</a/1>")]
    assert b"connection: close" in table.transport.value().lower()
    assert table.transport.disconnecting


def test_expired_is_cut() -> None:
    table = Table().feed([get("/a/slow")])
    table.channel.drain()
    table.channel.expire()
    assert table.transport.disconnected


# -- timeouts


def test_an_idle_connection_times_out() -> None:
    table = Table(timeout=60).feed([get("/a/1")])
    table.clock.advance(59)
    assert not table.transport.disconnecting
    table.clock.advance(1)
    assert table.transport.disconnecting
