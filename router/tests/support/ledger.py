"""Who has to answer for each connection, as seen from the system calls of all processes."""

import socket

import pytest
from svckit.handoff import packets
from svckit.handoff.codec import Taken, decode

from .custody import Connected, Killed, Process, ReplicaProcess, RouterProcess, Wire


class Ledger:
    """Stands for the kernel: it kills a process at one of its system calls, and writes down what changes hands."""

    routers: list[RouterProcess]
    replicas: list[ReplicaProcess]

    def __init__(self) -> None:
        super().__init__()
        self.acting: Process | None = None
        self.calls_left = -1
        self.connections: dict[int, Connected] = {}
        self.wires: list[Wire] = []
        self.patch = pytest.MonkeyPatch()
        self._send, self._receive = packets.send, packets.receive
        self.patch.setattr(packets, "send", self.send)
        self.patch.setattr(packets, "receive", self.receive)

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

    def holders(self, number: int) -> list[Process]:
        processes: tuple[RouterProcess | ReplicaProcess, ...] = (*self.routers, *self.replicas)
        return [process for process in processes if number in process.held]
