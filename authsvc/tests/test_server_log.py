"""What the auth service logs of a decision: one line, and nothing secret in it."""

from authsvc.asked import MAX_LOGGED_PATH, MAX_SERVICE, printable
from svckit.auth import commands
from svckit.auth.digest import make_ha1

from .support.answering import KEY, Bench


def test_each_decision_is_one_line_without_secrets(bench: Bench) -> None:
    bench.call(commands.Hello, version=commands.VERSION, service="static")
    bench.call(commands.CheckPassword, user=b"alice", password=b"wonderland")
    bench.call(commands.CheckPassword, user=b"alice", password=b"a-wrong-secret")
    nonce = KEY.mint(b"portico", bench.clock.seconds())
    bench.digest(nonce=nonce)
    bench.digest(nonce=nonce)
    bench.digest(user=b"bob")
    assert bench.decisions == [
        "alice by basic from ? for static: allowed",
        "alice by basic from ? for static: denied",
        "alice by digest from 192.0.2.1 for static: allowed",
        "alice by digest from 192.0.2.1 for static: stale",
        "bob by digest from 192.0.2.1 for static: denied",
    ]
    everything = repr(bench.log)
    for secret in ("wonderland", "a-wrong-secret", make_ha1("SHA-256", b"alice", b"portico", b"wonderland").decode(), "kkkk"):
        assert secret not in everything


def test_what_is_logged_of_a_request_is_short_and_one_line(bench: Bench) -> None:
    uri = b"/\n" + b"x" * 10_000
    bench.call(commands.CheckPassword, user=b"alice", password=b"x", method=b"G\nT", uri=uri)
    (request,) = [event["request"] for event in bench.log if "outcome" in event]
    assert request == "G\\nT /\\n" + "x" * (MAX_LOGGED_PATH - 2)


def test_nobody_writes_lines_of_their_own_into_the_log(bench: Bench) -> None:
    bench.call(commands.Hello, version=commands.VERSION, service="s\n" * MAX_SERVICE)
    bench.call(commands.CheckPassword, user=b"x\nadmin by basic: allowed\x1b[2J\xff", password=b"")
    (line,) = bench.decisions
    assert "\n" not in line
    assert "\x1b" not in line
    assert line.startswith("x\\nadmin by basic: allowed\\x1b[2J\\xff by basic from ? for s\\n")


def test_printable() -> None:
    assert printable("Jäsøn Doe".encode()) == "Jäsøn Doe"
    assert printable(b"\x00\xff\xe2\x80\xae") == "\\x00\\xff\\u202e"
