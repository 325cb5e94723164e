"""The router's two paths to a decision agree: a whole head on a plain table, and everything else."""

import socket

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from portico.arrival import Arrival, RawSocket
from portico.config import Limits
from portico.core.answers import BAD_HOST, MANY_FIELDS, NO_ROUTE, Answer
from portico.core.head import read_head
from portico.core.matchers.contract import Matcher
from portico.core.matchers.header import Header
from portico.core.matchers.host import Host
from portico.core.matchers.method import Method
from portico.core.names import Names
from portico.core.preface import Preface
from portico.core.rule import Rule
from portico.core.table import RouteTable, Wait
from portico.poller import Poller
from portico.router import Router

from .support.reactor import HandReactor
from .support.wires import LISTENER, Logged, as_reactor

Decided = str | Answer


class Sink:
    """Where routes lead."""

    def __init__(self, name: str, found: list[Decided]) -> None:
        self.name, self._found = name, found

    def put_through(self, arrival: Arrival) -> None:
        assert arrival.head is not None
        self._found.append(self.name)
        arrival.close()


class Paths:
    """A router that only decides."""

    def __init__(self, conditions: dict[str, tuple[Matcher, ...]], limits: Limits) -> None:
        reactor = as_reactor(HandReactor())
        self.poller = Poller()
        self.router = Router(limits, self.poller, reactor, Logged(HandReactor()).log)
        self.found: list[Decided] = []
        self.router.answer = self._answer  # type: ignore[method-assign]
        sinks = {name: Sink(name, self.found) for name in PATTERNS}
        rules = [
            Rule(sinks[name], number, pattern, conditions.get(name, ()))
            for number, (name, pattern) in enumerate(PATTERNS.items())
        ]
        self.table = RouteTable(rules)
        self.router.use(self.table, limits)  # type: ignore[arg-type]
        self.limits = limits

    def _answer(self, arrival: Arrival, answer: Answer) -> None:
        self.found.append(answer)
        arrival.close()

    def fast(self, data: bytes) -> Decided | None:
        """What becomes of a new connection with these first bytes at once; None: it waits."""
        self.found.clear()
        sock = RawSocket(fileno=socket.socket().detach())
        arrival = Arrival(sock, ("192.0.2.1", 1), LISTENER, 0.0, data)
        self.router.admit(arrival)
        if not self.found:
            self.router.patience.leave(self.router.patience._waiting[sock.fileno()])
            sock.close()
            return None
        (found,) = self.found
        return found

    def patient(self, data: bytes) -> Decided | None:
        """The same asked byte by byte."""
        preface = Preface(limit=self.limits.head_size, most_fields=self.limits.head_fields)
        for at in range(len(data)):
            preface.add(data[at : at + 1])
            found = self.table.decide(preface)
            if not isinstance(found, Wait):
                return found if isinstance(found, Answer) else found.service.name
        return None


PATTERNS = {"root": "/", "deep": "/a/b/", "exact": "=/a", "a": "/a/"}
CONDITIONS: dict[str, tuple[Matcher, ...]] = {
    "deep": (Host(Names.of(["one.example", "*.two.example"])),),
    "a": (Method(frozenset((b"GET",))), Header(b"x-env", b"blue")),
}
LIMITS = Limits(head_size=256, head_fields=4)

lines = st.sampled_from(
    [b"Host: one.example", b"host: a.two.example:80", b"HOST: h h", b"Host:", b"X-Env: blue", b"x-env: red", b"A: b", b"A : b"]
)
targets = st.sampled_from(
    [b"/", b"/a", b"/a/", b"/a/b", b"/a/b/c", b"/x/../a/b", b"/..", b"*", b"http://one.example/a/b/", b"h:1"]
)
heads = st.builds(
    lambda method, target, version, fields, end: b"%b %b %b\r\n" % (method, target, version) + b"\r\n".join((*fields, end)),
    st.sampled_from([b"GET", b"POST", b"OPTIONS"]),
    targets,
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0"]),
    st.lists(lines, max_size=6),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"", b"\r\nbody"]),
)


@pytest.mark.parametrize("conditions", [{}, CONDITIONS], ids=["plain", "conditions"])
def test_whole_heads_are_decided_at_once_and_as_the_patient_path_would(conditions: dict[str, tuple[Matcher, ...]]) -> None:
    paths = Paths(conditions, LIMITS)
    assert paths.table.plain is not bool(conditions)
    seen: set[Decided | None] = set()

    @settings(deadline=None, max_examples=300)
    @given(heads)
    @example(b"GET / HT")
    @example(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    @example(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    @example(b"GET / HTTP/1.1\r\nHost: h h\r\n\r\n")
    @example(b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 4 + b"\r\n")
    def agree(data: bytes) -> None:
        found = paths.fast(data)
        patient = paths.patient(data)
        # Of several faults in one head either may be told, but never none; what is sound has one verdict.
        assert found == patient or (isinstance(found, Answer) and isinstance(patient, Answer)), (found, patient)
        if read_head(data) is not None:
            assert found is not None
            assert found == patient
        seen.add(found)

    agree()
    assert {None, "root", "exact", BAD_HOST, MANY_FIELDS} <= seen
    assert len(paths.poller) == 0


def test_a_whole_head_sets_no_clock(reactor: HandReactor, poller: Poller, logged: Logged) -> None:
    paths = Paths(CONDITIONS, LIMITS)
    clock = paths.router.patience.reactor
    assert paths.fast(b"GET /a/b HTTP/1.1\r\nHost: one.example\r\n\r\n") == "deep"
    assert not clock.getDelayedCalls()
    assert paths.fast(b"GET /a/b HTTP/1.1\r\n") is None


def test_the_number_of_fields_is_exact() -> None:
    for conditions in ({}, CONDITIONS):
        paths = Paths(conditions, LIMITS)
        head = b"GET /x HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 3
        assert paths.fast(head + b"\r\n") == "root"
        assert paths.fast(head + b"B: c\r\n\r\n") == MANY_FIELDS
        assert paths.patient(head + b"B: c\r\n\r\n") == MANY_FIELDS


def test_what_was_decided_before_holds_as_long_as_the_routes_do() -> None:
    """The second one is not read again, and yet all that is known of a request is known of it."""
    paths = Paths({}, Limits())
    request = b"GET /a/x HTTP/1.1\r\nHost: h\r\n\r\n"
    first, again = paths.fast(request), paths.fast(request)
    assert first == again != NO_ROUTE
    assert paths.router._remembered.find(request) is not None
    paths.router.use(RouteTable([]), Limits())
    assert paths.fast(request) == NO_ROUTE


def test_what_comes_with_more_is_read_each_time() -> None:
    paths = Paths({}, Limits())
    request = b"POST /a/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nb"
    assert paths.fast(request) == paths.fast(request) != NO_ROUTE
    assert paths.router._remembered.find(request) is None
