"""Custody, whatever dies when: random walks over the real links of both sides, over real sockets.

Routers and replicas give connections to each other, stop reading, end links, and are killed at any of their system calls.
After every step nobody shares a connection, and at the end each one that should live is in exactly one place. That is seen from
outside: whoever holds a connection says one byte, and the client gets one.

The rule by which a connection may be lost is the protocol's own: it is the sender's until TAKEN has been sent, then the
receiver's, and it dies with the process whose it is. But what a sender had sent when it was killed is the receiver's, unless
that one ends the link without having read it, or the sender had just revoked it.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.descriptors import open_descriptors

from .support.custody import Connected, Process, ReplicaProcess, RouterProcess, Wire
from .support.ledger import Ledger

KILLS = st.one_of(st.just(0), st.just(0), st.just(0), st.integers(1, 8))
"""Before which system call of its turn a process is killed; 0: it is not."""


class Walk(Ledger, RuleBasedStateMachine):
    """Two routers and two replicas; a dead one is followed by a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.before = open_descriptors()
        self.routers = [RouterProcess(self), RouterProcess(self)]
        self.replicas = [ReplicaProcess(self), ReplicaProcess(self)]

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
        assert open_descriptors() == self.before, "descriptors are left open"


TestCustody = Walk.TestCase
TestCustody.settings = settings(
    max_examples=int(os.environ.get("PORTICO_WALKS", "30")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
