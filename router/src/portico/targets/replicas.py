"""The addresses of one tcp server, and which of them get new connections.

Not those that an operator has drained and not those that checks have found down: where only such are left the service has no
replica, and connections wait. Those that are ejected come last instead (`core.ejection`): failures of connections say less
than checks do, so they are tried before a client is told that nobody accepts.
"""

from collections.abc import Callable, Collection, Iterable
from itertools import chain

from svckit.reactors import Reactor

from ..arrival import Address, Arrival
from ..balancing import Balancer
from ..config import Tcp, address
from ..core.ejection import Ejection
from ..core.health import UP
from ..draining import NotThere
from ..poller import Poller
from .checks import Checks, asked_by
from .connect import UNBOUNDED, Replica

__all__ = ["Replicas"]


class Replicas:
    """All addresses that the server has now."""

    def __init__(self, settings: Tcp, poller: Poller, reactor: Reactor, room: Callable[[], None]) -> None:
        """`room` is called when there may be somebody for a connection that waits."""
        self._settings, self._reactor, self._room = settings, reactor, room
        self._balancer = Balancer(settings)
        self._ejection: Ejection[Replica] = Ejection(settings.eject_after, settings.eject_time)
        self._checks: Checks | None = None
        if settings.check is not None:
            self._checks = Checks(settings.check, asked_by(settings, settings.check), poller, reactor, self._changed)
        self._known: dict[Address, Replica] = {}
        self._before: dict[Address, Replica] = {}  # those of the service that this one follows
        self._capacity = settings.capacity or UNBOUNDED
        self.bounded = settings.capacity is not None
        """Whether a replica can be full."""
        self.usable: list[Replica] = []
        """Those that may get new connections."""
        self.drained: frozenset[str] = frozenset()
        """Names of those that an operator wants none to go to."""

    def found(self, addresses: Iterable[Address]) -> None:
        """These are the addresses from now on."""
        known = self._known
        self._known = {at: known.get(at) or self._make(at) for at in addresses}
        self._ejection.belong(self._known.values())
        self.drained &= {replica.name for replica in self._known.values()}
        if self._checks is not None:
            self._checks.watch(self._known.values())
        self._changed()

    def _make(self, at: Address) -> Replica:
        """What the service before this one has under way there counts on, so that a reload makes no room."""
        replica = self._before.pop(at, None)
        if replica is None:
            return Replica(at, self._ejection, self._capacity)
        replica.ejection, replica.capacity = self._ejection, self._capacity
        return replica

    def _changed(self) -> None:
        checks = self._checks
        for replica in self._known.values():
            replica.drained = replica.name in self.drained
        self.usable = [
            replica for replica in self._known.values() if not replica.drained and (checks is None or checks.is_up(replica))
        ]
        if self.usable:
            self._room()

    @property
    def any(self) -> bool:
        """Whether the server has an address."""
        return bool(self._known)

    @property
    def has_room(self) -> bool:
        """Whether `order` would name any."""
        if not self.bounded:
            return bool(self.usable)
        return any(replica.has_room for replica in self._ready or self.usable)

    @property
    def _ready(self) -> list[Replica]:
        """Those that are usable and not ejected."""
        out = self._ejection.ejected(self._reactor.seconds())
        return [replica for replica in self.usable if replica not in out]

    def untried(self, tried: Collection[Replica]) -> list[Replica]:
        """Those that were full when `tried` were asked, and may have room now or later; none where no one can be full."""
        return [replica for replica in self._ready if replica not in tried] if self.bounded else []

    def order(self, arrival: Arrival) -> Iterable[Replica]:
        """Those that may get a new connection and have room, the first choice first."""
        usable = self.usable
        out = self._ejection.ejected(self._reactor.seconds()) if self._ejection.until else ()
        if not out:
            return self._balancer.order(usable, arrival)
        ready = [replica for replica in usable if replica not in out]
        if ready and not any(replica.has_room for replica in ready):
            return ()  # better to wait for them
        last = [replica for replica in out if replica in usable and replica.has_room]
        return chain(self._balancer.order(ready, arrival), last)  # rather than no answer: they may be back by then

    def drain(self, name: str, drained: bool, certain: bool) -> list[Replica]:
        """Drain the replica called `name`, or do so no more; which ones these are.

        Where the addresses are not `certain`, one that is not known may be drained too: the next answer of the name service
        decides whether there is one.

        Raises:
            NotThere: there is none.
        """
        named = [replica for replica in self._known.values() if replica.name == name]
        if not named and (certain or not self._is_possible(name)):
            raise NotThere(f"has no replica {name}")
        self.drained = self.drained | {name} if drained else self.drained - {name}
        self._changed()
        return named

    def _is_possible(self, name: str) -> bool:
        try:
            at = address(name)
        except ValueError:
            return False
        return at[1] == address(self._settings.address)[1]

    def inherit(self, drained: Iterable[str]) -> None:
        """These were drained in the service that this one follows."""
        self.drained |= frozenset(drained)

    def succeed(self, before: "Replicas") -> None:
        """Before the first addresses: those that `before` has are the same replicas."""
        self._before = {at: replica for at, replica in before._before.items() if replica.load} | before._known

    def stop(self) -> None:
        """Check no more."""
        if self._checks is not None:
            self._checks.stop()

    def status(self, resting: bool) -> list[dict[str, object]]:
        """For `/status`; `resting`: the addresses are those of some time ago."""
        out = self._ejection.ejected(self._reactor.seconds())
        states = {replica: self._state(replica, replica in out, resting) for replica in self._known.values()}
        bound = {"capacity": self._capacity} if self.bounded else {}
        return [{"replica": replica.name, "state": state, "open": replica.load, **bound} for replica, state in states.items()]

    def _state(self, replica: Replica, ejected: bool, resting: bool) -> str:
        if replica.drained:
            return "drained"
        if self._checks is not None and (state := self._checks.state(replica)) != UP:
            return state
        return "ejected" if ejected else "resting" if resting else "ready" if replica.has_room else "full"
