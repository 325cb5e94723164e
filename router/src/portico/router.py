"""The router proper: decides for each connection where it goes. Everything that comes in, comes in here.

Two ways in: a new connection with its first bytes (`admit`), and one that a service has handed back (`readmit`). What cannot be
decided on at once waits on the patient path. One way on: the service of the route, or its redirect. One way out: an answer.
"""

from collections import Counter

from svckit.paths import BadTarget, normalise
from svckit.reactors import Reactor
from twisted.logger import Logger

from .accesslog import AccessLog
from .arrival import Arrival
from .config import Limits
from .core.answers import BAD_HOST, BAD_REQUEST, NO_ROUTE, Answer
from .core.head import Head, read_head
from .core.hostfield import names_its_host
from .core.preface import Preface
from .core.remembered import Remembered
from .core.rule import Rule
from .core.table import RouteTable
from .linger import Linger
from .patience import Decision, Patience
from .places import Places
from .poller import Poller
from .service import Destination

__all__ = ["Router"]


class Router:
    """Routes, and the connections that are being decided on."""

    log = Logger()

    def __init__(self, limits: Limits, poller: Poller, reactor: Reactor, access: AccessLog) -> None:
        self._reactor, self.access = reactor, access
        self._linger = Linger(poller, reactor)
        self._head_size = limits.head_size
        self._head_fields = limits.head_fields
        self.places = Places(limits.connections, limits.client_connections, limits.reserved_descriptors)
        """How many connections are here."""
        self._table: RouteTable[Destination] = RouteTable(())
        self._remembered: Remembered[tuple[Head, Rule[Destination]]] = Remembered()
        self.patience = Patience(limits, poller, reactor, self)
        self._measures = access.measures
        self.draining = False

    def use(self, table: RouteTable[Destination], limits: Limits) -> None:
        """From now on these routes and limits hold."""
        self._table = table
        self._remembered.forget()
        self._head_size, self._head_fields = limits.head_size, limits.head_fields
        self.places.follow(limits.connections, limits.client_connections, limits.reserved_descriptors)
        self.patience.limits = limits

    @property
    def counts(self) -> "Counter[str]":
        """For `/status`: accepted, returned, and each answered status; those that have happened."""
        return self._measures.totals()

    # -- ways in

    def admit(self, arrival: Arrival) -> None:
        """A new connection; its preface is what was there at once, perhaps nothing."""
        self._measures.accepted += 1
        self._look(arrival)

    def readmit(self, arrival: Arrival) -> None:
        """A service has handed this back, with what it had read and not answered."""
        self._measures.returned += 1
        self.places.take_back(arrival)
        self._look(arrival)

    def reroute(self, arrival: Arrival) -> None:
        """Its service is not there any more, and has not had it."""
        self._look(arrival)

    def _look(self, arrival: Arrival) -> None:
        """Nearly always the whole head is there, and there are only paths to go by; the rest is patient."""
        known = self._remembered.find(arrival.preface)
        if known is not None:
            arrival.head, rule = known
            self.decided(arrival, rule)
            return
        table = self._table
        head = read_head(arrival.preface)
        if head is None or head.end > self._head_size or head.fields.count(b"\n") > self._head_fields:
            self.patience.wait(arrival, self._preface_of(arrival, None))
            return
        if not table.plain:
            self.patience.wait(arrival, self._preface_of(arrival, head))
            return
        arrival.head = head
        if not names_its_host(head):
            self.answer(arrival, BAD_HOST)
            return
        try:
            found = table.find(normalise(head.target)) or table.default
        except BadTarget:
            self.answer(arrival, BAD_REQUEST)
            return
        if found is None:
            self.answer(arrival, NO_ROUTE)
            return
        if head.end == len(arrival.preface):
            self._remembered.add(arrival.preface, (head, found))
        self.decided(arrival, found)

    def _preface_of(self, arrival: Arrival, head: Head | None) -> Preface:
        return Preface(
            arrival.preface,
            arrival.client,
            limit=self._head_size,
            most_fields=self._head_fields,
            head=head,
            tls=arrival.tls_facts,
            returned=arrival.returned,
        )

    # -- what the patient path asks and tells

    def decide(self, preface: Preface) -> Decision:
        """Ask the routes."""
        return self._table.decide(preface)

    def decided(self, arrival: Arrival, rule: Rule[Destination]) -> None:
        """Put it through."""
        self._measures.decided(arrival, rule.name, self._reactor.seconds())
        rule.service.put_through(arrival)

    # -- the way out

    def answer(self, arrival: Arrival, answer: Answer) -> None:
        """The router answers itself, and closes so that the answer arrives."""
        self.access.answered(arrival, answer)
        if answer.wire:
            self._linger.answer(arrival, answer)
        else:
            arrival.close()
