"""Custody, whatever dies when: random walks over the real links of both sides, over real sockets.

Routers and replicas give connections to each other, stop reading, end links, and are killed at any of their system calls.
After every step nobody shares a connection, and at the end each one that should live is in exactly one place. That is seen from
outside: whoever holds a connection says one byte, and the client gets one.

The rule by which a connection may be lost is the protocol's own: it is the sender's until TAKEN has been sent, then the
receiver's, and it dies with the process whose it is. But what a sender had sent when it was killed is the receiver's, unless
that one ends the link without having read it, or the sender had just revoked it.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from portico import link as router_side
from portico.arrival import Arrival, HandedBack, RawSocket
from portico.core.clienthello import TlsFacts
from portico.poller import READ, WRITE
from portico.provenance import Provenance
from svckit.handoff import link as replica_side
from svckit.handoff import packets
from svckit.handoff.cell import is_revoked
from svckit.handoff.codec import VERSION, Connection, Hello, Taken, decode

from .support.reactor import HandReactor
from .support.wires import LISTENER, open_descriptors

SMALLEST_BUFFER = 4_608
"""Bytes: a few packets fill the link, so that saying TAKEN may have to wait."""
KILLS = st.one_of(st.just(0), st.just(0), st.just(0), st.integers(1, 8))
"""Before which system call of its turn a process is killed; 0: it is not."""


class Killed(BaseException):
    """The process is gone, at this very system call."""


class Connected:
    """One client's connection, and who has to answer for it."""

    def __init__(self, number: int, router: "RouterProcess") -> None:
        self.number = number
        self.client, theirs = socket.socketpair()
        self.client.setblocking(False)
        arrival = Arrival(RawSocket(socket.AF_UNIX, socket.SOCK_STREAM, 0, theirs.detach()), ("192.0.2.1", number), LISTENER, 0)
        arrival.tls_facts = TlsFacts(None, ())  # the plain side of a TLS client: a local socket, which is cheap here
        self.responsible: Process = router
        self.inherited = False
        self.sent: tuple[list[int], int] | None = None
        """The last time that it changed hands: what went over that wire that way, and which of these it was."""
        router.held[number] = arrival

    def heard(self) -> bytes:
        with suppress(BlockingIOError):
            return self.client.recv(100)
        return b""


class Wire:
    """A link, seen from both ends."""

    def __init__(self, router: "RouterProcess", replica: "ReplicaProcess", small: bool) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.router, self.replica = router, replica
        self.given: list[int] = []
        """Connections in the order in which the router has sent them; and the replica."""
        self.back: list[int] = []
        self.at_router = router_side.Link(ours, "/r/one.sock", "s", (), router, NoPoller(), lambda: 0.0, router.provenance)  # type: ignore[arg-type]
        self.at_replica = replica_side.Link(theirs, replica, HandReactor())  # type: ignore[arg-type]
        if small:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALLEST_BUFFER)
        self.ends = {id(ours): self.router, id(theirs): self.replica}

    def moves(self) -> list[Callable[[], object]]:
        """What each end would do if it had its turn now."""
        router, replica = self.at_router, self.at_replica
        moves: list[Callable[[], object]] = []
        if self.router.alive and not router.ended:
            if router._blocked:
                moves.append(lambda: router._on_events(WRITE))
            if router._watched & READ:
                moves.append(lambda: router._on_events(READ))
        if self.replica.alive and not replica.ended:
            if replica._unsent:
                moves.append(replica.doWrite)
            moves.append(replica.doRead)
        return moves


class NoPoller:
    """The walk says who is served."""

    def add(self, *_: object) -> None: ...
    def change(self, *_: object) -> None: ...
    def remove(self, *_: object) -> None: ...


class Process:
    """What a router and a replica have in common: they hold connections, and they can die."""

    def __init__(self, walk: "Walk") -> None:
        self.walk = walk
        self.alive = True
        self.wires: list[Wire] = []

    @contextmanager
    def acting(self, kill_at: int = 0) -> Iterator[None]:
        """Its turn; with `kill_at` n it is killed just before its n-th system call on a link, or at the end of its turn."""
        self.walk.acting, self.walk.calls_left = self, kill_at or -1
        try:
            yield
        except Killed:
            pass
        finally:
            self.walk.acting, self.walk.calls_left = None, -1
        if kill_at:
            self.die()

    def die(self) -> None:
        raise NotImplementedError


class RouterProcess(Process):
    """The router's side above its links."""

    def __init__(self, walk: "Walk") -> None:
        super().__init__(walk)
        self.held: dict[int, Arrival] = {}
        self.provenance = Provenance("s", b"the same for all")

    def ready(self, link: router_side.Link) -> None: ...

    def taken(self, link: router_side.Link, arrival: Arrival) -> None:
        arrival.close()

    def returned(self, link: router_side.Link, arrivals: list[HandedBack]) -> None:
        for arrival in arrivals:
            assert arrival.doubt is None
            self._hold(arrival)

    def ended(self, link: router_side.Link, reclaimed: list[Arrival]) -> None:
        for arrival in reclaimed:
            self._hold(arrival)
        if link.leftover is not None:
            link.leftover.close()

    def _hold(self, arrival: Arrival) -> None:
        number = arrival.client[1]
        assert number not in self.held
        self.held[number] = arrival

    def say(self, number: int) -> None:
        self.held[number].sock.send(b"r")

    def die(self) -> None:
        self.alive = False
        for wire in self.wires:
            cell = wire.at_router._cell.descriptor  # closed, where this one has died before
            if not wire.at_router.ended and not wire.at_replica.ended and cell >= 0 and not is_revoked(cell):
                self.walk.passes(wire.given, len(wire.given), self, wire.replica)
            link = wire.at_router
            link._sock.close()
            link._cell.close()
            for arrival in [*link._custody.reclaim(), *link._came]:
                arrival.sock.close()
            if link.leftover is not None:
                link.leftover.close()
        for arrival in self.held.values():
            arrival.sock.close()
        self.held.clear()


class ReplicaProcess(Process):
    """The replica's side above its links."""

    def __init__(self, walk: "Walk") -> None:
        super().__init__(walk)
        self.held: dict[int, replica_side.Returned] = {}

    def hello(self) -> Hello:
        return Hello(VERSION, 100, "s", "one")

    def adopt(self, connection: Connection, descriptor: int, link: replica_side.Link) -> None:
        sock = socket.socket(fileno=descriptor)
        returned = replica_side.Returned(sock, connection.client, connection.listener, b"", connection.tls, connection.seal)
        self._hold(returned)

    def routes(self, patterns: tuple[tuple[str, bool], ...]) -> None: ...
    def welcomed(self, link: replica_side.Link) -> None: ...
    def farewell(self, link: replica_side.Link) -> None: ...

    def ended(self, link: replica_side.Link, returned: list[replica_side.Returned]) -> None:
        for each in returned:
            self._hold(each)

    def load(self) -> int:
        return len(self.held)

    def _hold(self, returned: replica_side.Returned) -> None:
        number = returned.client[1]
        assert number not in self.held
        self.held[number] = returned

    def say(self, number: int) -> None:
        self.held[number].sock.send(b"p")

    def die(self) -> None:
        self.alive = False
        for wire in self.wires:
            link = wire.at_replica
            if not link.ended and not wire.at_router.ended:
                unsent = sum(carried is not None for _, carried in link._unsent)
                self.walk.passes(wire.back, len(wire.back) - unsent, self, wire.router)
            link._sock.close()
            if link._cell >= 0:
                os.close(link._cell)
                link._cell = -1
            while link._arrived:
                os.close(link._arrived.popleft()[1])
            for returned in link._custody.reclaim():
                returned.sock.close()
        for each in self.held.values():
            each.sock.close()
        self.held.clear()


class Walk(RuleBasedStateMachine):
    """Two routers and two replicas; a dead one is followed by a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.before = open_descriptors()
        self.acting: Process | None = None
        self.calls_left = -1
        self.connections: dict[int, Connected] = {}
        self.wires: list[Wire] = []
        self.patch = pytest.MonkeyPatch()
        self._send, self._receive = packets.send, packets.receive
        self.patch.setattr(packets, "send", self.send)
        self.patch.setattr(packets, "receive", self.receive)
        self.routers = [RouterProcess(self), RouterProcess(self)]
        self.replicas = [ReplicaProcess(self), ReplicaProcess(self)]

    # -- system calls

    def _call(self) -> None:
        if self.calls_left > 0:
            self.calls_left -= 1
            if self.calls_left == 0:
                raise Killed

    def send(self, sock: socket.socket, packet: bytes, descriptor: int | None = None) -> None:
        self._call()
        self._send(sock, packet, descriptor)
        message = decode(packet)
        wire = next((wire for wire in self.wires if id(sock) in wire.ends), None)
        if isinstance(message, Taken) and wire is not None:
            receiver = wire.ends[id(sock)]
            for connected in self.last_sent(wire.given if receiver is wire.replica else wire.back, message.number):
                if connected.responsible is (wire.router if receiver is wire.replica else wire.replica):
                    connected.responsible = receiver

    def goes(self, number: int, sent: list[int]) -> None:
        """It is on its way, with what was sent before it the same way."""
        self.connections[number].sent = (sent, len(sent))
        sent.append(number)

    def last_sent(self, sent: list[int], count: int | None = None) -> list[Connected]:
        """Of the first `count` those that have not been sent again since, by another wire or by this one."""
        numbered = [(self.connections[number], at) for at, number in enumerate(sent[:count])]
        return [each for each, at in numbered if each.sent is not None and each.sent[0] is sent and each.sent[1] == at]

    def passes(self, sent: list[int], count: int, dead: Process, heir: Process) -> None:
        """What the dead had sent, and still had to answer for, is the other end's."""
        for connected in self.last_sent(sent, count):
            if connected.responsible is dead and heir.alive and connected.number not in getattr(dead, "held", ()):
                connected.responsible = heir
                connected.inherited = True

    def disowned(self, sent: list[int], heir: Process, dead: Process) -> None:
        """The heir ends the link, and has not read it."""
        for connected in self.last_sent(sent):
            if connected.inherited and connected.responsible is heir and not dead.alive and not self.holders(connected.number):
                connected.responsible = dead

    def receive(self, sock: socket.socket) -> tuple[bytes, int | None]:
        self._call()
        return self._receive(sock)

    # -- what happens

    def link(self, router: RouterProcess, replica: ReplicaProcess, small: bool) -> None:
        wire = Wire(router, replica, small)
        self.wires.append(wire)
        router.wires.append(wire)
        replica.wires.append(wire)

    @initialize(small=st.booleans())
    def start(self, small: bool) -> None:
        self.small = small
        for router in self.routers:
            for replica in self.replicas:
                self.link(router, replica, small)
        self._turns(6)
        self.clients_come(0, 4)

    def _turns(self, count: int) -> None:
        for _ in range(count):
            for wire in list(self.wires):
                for move in wire.moves():
                    move()

    @rule(which=st.integers(0, 1), count=st.integers(1, 12))
    def more_clients_come(self, which: int, count: int) -> None:
        self.clients_come(which, count)

    def clients_come(self, which: int, count: int) -> None:
        for _ in range(count):
            number = len(self.connections) + 1
            self.connections[number] = Connected(number, self.routers[which])

    @rule(pick=st.integers(0, 3), count=st.integers(1, 20), kill_at=KILLS)
    def router_offers(self, pick: int, count: int, kill_at: int) -> None:
        router, replica = self.routers[pick & 1], self.replicas[pick >> 1]
        if not router.held:
            self.clients_come(pick & 1, count)
        for wire in router.wires:
            if wire.replica is replica and wire.at_router.willing:
                with router.acting(kill_at):
                    for number, arrival in list(router.held.items())[:count]:
                        if wire.at_router.willing and wire.at_router.offer(arrival):
                            del router.held[number]
                            self.goes(number, wire.given)
                break
        self._replace_dead()

    @precondition(lambda self: any(replica.held for replica in self.replicas))
    @rule(pick=st.integers(0, 3), count=st.integers(1, 20), kill_at=KILLS)
    def replica_hands_back(self, pick: int, count: int, kill_at: int) -> None:
        router = self.routers[pick & 1]
        replica = max(self.replicas, key=lambda each: len(each.held))
        for wire in replica.wires:
            if wire.router is router and wire.at_replica.welcomed and not wire.at_replica.ended:
                with replica.acting(kill_at):
                    for number, returned in list(replica.held.items())[:count]:
                        if wire.at_replica.ended:
                            break
                        del replica.held[number]
                        self.goes(number, wire.back)
                        wire.at_replica.hand_back(returned)
                break
        self._replace_dead()

    @precondition(lambda self: any(wire.moves() for wire in self.wires))
    @rule(data=st.data(), kill_at=KILLS)
    def one_has_its_turn(self, data: st.DataObject, kill_at: int) -> None:
        wire = data.draw(st.sampled_from([wire for wire in self.wires if wire.moves()]))
        move = data.draw(st.sampled_from(wire.moves()))
        owner = wire.replica if getattr(move, "__self__", None) is wire.at_replica else wire.router
        with owner.acting(kill_at):
            move()
        self._replace_dead()

    @precondition(lambda self: self.under_way())
    @rule(count=st.integers(1, 4))
    def all_have_their_turn(self, count: int) -> None:
        self._turns(count)

    @precondition(lambda self: any(wire.at_router.untaken for wire in self.living_at_router()))
    @rule(data=st.data(), kill_at=KILLS)
    def router_waits_no_longer(self, data: st.DataObject, kill_at: int) -> None:
        wire = data.draw(st.sampled_from([wire for wire in self.living_at_router() if wire.at_router.untaken]))
        with wire.router.acting(kill_at):
            wire.at_router.revoke()
        self._replace_dead()

    @precondition(lambda self: self.under_way() and self.living_at_replica())
    @rule(data=st.data(), kill_at=KILLS)
    def replica_ends_a_link(self, data: st.DataObject, kill_at: int) -> None:
        wire = data.draw(st.sampled_from(self.living_at_replica()))
        with wire.replica.acting(kill_at):
            wire.at_replica.end()
        self.disowned(wire.given, wire.replica, wire.router)
        self._replace_dead()

    @precondition(lambda self: any(wire.at_router.untaken for wire in self.wires) and self.living_at_replica())
    @rule(data=st.data())
    def replica_drains(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.living_at_replica())).at_replica.say_draining()

    @precondition(lambda self: self.under_way())
    @rule(which=st.integers(0, 3))
    def one_is_killed(self, which: int) -> None:
        processes: list[Process] = [*self.routers, *self.replicas]
        processes[which].die()
        self._replace_dead()

    def under_way(self) -> bool:
        """Whether something is on its way, so that it matters who has the next turn."""
        return any(wire.at_router.untaken or not wire.at_replica.settled for wire in self.wires)

    def living_at_router(self) -> list[Wire]:
        return [wire for wire in self.wires if wire.router.alive and not wire.at_router.ended]

    def living_at_replica(self) -> list[Wire]:
        return [wire for wire in self.wires if wire.replica.alive and not wire.at_replica.ended]

    def _replace_dead(self) -> None:
        """A new process for a dead one, and a new link for an ended one."""
        self.routers = [router if router.alive else RouterProcess(self) for router in self.routers]
        self.replicas = [replica if replica.alive else ReplicaProcess(self) for replica in self.replicas]
        for router in self.routers:
            for replica in self.replicas:
                both = [wire for wire in router.wires if wire.replica is replica]
                if all(wire.at_router.ended and wire.at_replica.ended for wire in both):
                    self.link(router, replica, self.small)

    # -- what must hold

    def holders(self, number: int) -> list[Process]:
        processes: tuple[RouterProcess | ReplicaProcess, ...] = (*self.routers, *self.replicas)
        return [process for process in processes if number in process.held]

    @invariant()
    def nobody_shares_a_connection(self) -> None:
        for number in self.connections:
            assert len(self.holders(number)) <= 1

    def teardown(self) -> None:
        try:
            self._turns(40)
            for number, connected in self.connections.items():
                holders = self.holders(number)
                for holder in holders:
                    assert isinstance(holder, RouterProcess | ReplicaProcess)
                    holder.say(number)
                said = connected.heard()
                assert len(said) == len(holders) <= 1
                assert said or not connected.responsible.alive, f"{number} is nowhere"
            for wire in self.wires:
                if wire.router.alive and wire.replica.alive and not wire.at_router.ended and not wire.at_replica.ended:
                    assert wire.at_router.untaken == 0
                    assert wire.at_replica.settled
        finally:
            self.patch.undo()
            for process in {*self.routers, *self.replicas, *(wire.router for wire in self.wires)}:
                process.die()
            for wire in self.wires:
                wire.replica.die()
            for connected in self.connections.values():
                connected.client.close()
        self.wires.clear()
        assert open_descriptors() <= self.before, "descriptors are left open"


TestCustody = Walk.TestCase
TestCustody.settings = settings(
    max_examples=int(os.environ.get("PORTICO_WALKS", "30")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
