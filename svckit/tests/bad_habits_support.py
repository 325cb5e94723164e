"""Replicas with one bad habit each, for the conformance test to find."""

import contextlib
import os
import socket

import pytest
from svckit.handoff import packets
from svckit.handoff.aio.accepted import Returned
from svckit.handoff.aio.link import Link
from svckit.handoff.codec import Connection, Draining, Hello, Load, Message, Routes, decode, encode, encode_taken


class ServesBeforeTaken(Link):
    """Adopts as soon as it has read."""

    def _send(self, packet: bytes, carried: socket.socket | None = None, taken: int = 0) -> None:
        if taken:
            self._adopt_arrived()
        super()._send(packet, carried, taken)


class NeverSaysTaken(Link):
    """Serves and keeps quiet about it."""

    def _send(self, packet: bytes, carried: socket.socket | None = None, taken: int = 0) -> None:
        if taken:
            self._adopt_arrived()
        else:
            super()._send(packet, carried)


class SaysTakenForMore(Link):
    """Counts wrong."""

    def _send(self, packet: bytes, carried: socket.socket | None = None, taken: int = 0) -> None:
        super()._send(encode_taken(taken + 1, 0) if taken else packet, carried, taken)


class LooksIntoNoCell(Link):
    """Takes every router that has ended the link for dead."""

    def _decide_on_arrived(self) -> None:
        self._adopt_arrived()


class TakesAllRoutersForAlive(Link):
    """Drops what the dead had sent."""

    def _decide_on_arrived(self) -> None:
        self._drop_arrived()


class ShutsDown(Link):
    """Calls shutdown(2) where it should close."""

    def _drop_arrived(self) -> None:
        for _, descriptor in self._arrived:
            with socket.socket(fileno=os.dup(descriptor)) as sock:
                sock.shutdown(socket.SHUT_RDWR)
        super()._drop_arrived()


class WithdrawsNothing(Link):
    """Ends a link and leaves the router in the belief that it is dead."""

    def _withdraw(self) -> None:
        pass


class ForgetsHandBacks(Link):
    """What was under way at the end of a link is lost."""

    def end(self, gone: bool = False) -> None:
        for returned in self._custody.reclaim():
            returned.sock.close()
        super().end(gone)


class KeepsHandBacks(Link):
    """Hands back a duplicate and keeps the socket."""

    kept: list[socket.socket]

    def hand_back(self, returned: Returned) -> None:
        self.kept = [*getattr(self, "kept", []), returned.sock.dup()]
        super().hand_back(returned)

    def end(self, gone: bool = False) -> None:
        for sock in getattr(self, "kept", []):
            sock.close()
        super().end(gone)


class ShutsHandBacksDown(Link):
    """As a stock Twisted transport does when it closes."""

    def hand_back(self, returned: Returned) -> None:
        with contextlib.suppress(OSError):
            returned.sock.shutdown(socket.SHUT_WR)
        super().hand_back(returned)


class LosesUnreadBytes(Link):
    """Hands back the socket only."""

    def hand_back(self, returned: Returned) -> None:
        super().hand_back(returned._replace(unread=b""))


class ForgetsTls(Link):
    """Hands back plain connections only."""

    def hand_back(self, returned: Returned) -> None:
        super().hand_back(returned._replace(told=returned.told._replace(tls=None)))


class NamesItselfAsListener(Link):
    """Tells the socket's own address."""

    def hand_back(self, returned: Returned) -> None:
        super().hand_back(returned._replace(told=returned.told._replace(listener=("127.0.0.1", 80))))


class NumbersFromZero(Link):
    """Its first hand-back has the number 0."""

    def _send(self, packet: bytes, carried: socket.socket | None = None, taken: int = 0) -> None:
        message = decode(packet)
        if isinstance(message, Connection):
            packet = encode(message._replace(number=message.number - 1))
        super()._send(packet, carried, taken)


class TakesTheLastPartForAll(Link):
    """Each ROUTES replaces the one before."""

    def _hear(self, message: Message, descriptor: int | None) -> int | None:
        return super()._hear(message._replace(last=True) if isinstance(message, Routes) else message, descriptor)


class LivesWithEverything(Link):
    """Never ends a link."""

    def _hear(self, message: Message, descriptor: int | None) -> int | None:
        with contextlib.suppress(ValueError):
            return super()._hear(message, descriptor)
        return descriptor

    def _read(self) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("svckit.handoff.linkend.decode", self._decode)
            super()._read()

    @staticmethod
    def _decode(packet: bytes) -> Message:
        try:
            return decode(packet)
        except ValueError:
            return Load(0)


class TellsNoLoad(Link):
    """Says how many are open in TAKEN only."""

    def say_load(self) -> None:
        pass


class IsNobody(Link):
    """HELLO without a name."""

    def _send(self, packet: bytes, carried: socket.socket | None = None, taken: int = 0) -> None:
        message = decode(packet)
        super()._send(encode(message._replace(replica="")) if isinstance(message, Hello) else packet, carried, taken)


class SaysNonsense(Link):
    """TAKEN with a byte too many."""

    def _flush(self) -> None:
        if self._unsent and self._unsent[0][2]:
            packets.send(self._sock, self._unsent[0][0] + b"\0")
        super()._flush()


class SaysNoDraining(Link):
    """Goes without a word."""

    def say_draining(self) -> None:
        self._owner.farewell(self)

    def _send(self, packet: bytes, carried: socket.socket | None = None, taken: int = 0) -> None:
        if packet != encode(Draining()):
            super()._send(packet, carried, taken)


class TakesLate(Link):
    """Waits for more before it says TAKEN."""

    def _send(self, packet: bytes, carried: socket.socket | None = None, taken: int = 0) -> None:
        if taken:
            self._loop.call_later(0.5, super()._send, packet, carried, taken)
        else:
            super()._send(packet, carried)


class TrustsInRouters(Link):
    """Waits for TAKEN as long as it takes."""

    def _look_whether_it_hangs(self) -> None:
        pass


BAD_HABITS: list[tuple[type[Link], list[str]]] = [
    (ServesBeforeTaken, ["where TAKEN cannot be said and the cell says so"]),
    (NeverSaysTaken, ["a connection is taken, and its request answered"]),
    (SaysTakenForMore, ["a connection is taken, and its request answered", "TAKEN tells the highest number of a batch"]),
    (LooksIntoNoCell, ["where TAKEN cannot be said and the cell says so"]),
    (TakesAllRoutersForAlive, ["where TAKEN cannot be said and the cell says nothing"]),
    (ShutsDown, ["where TAKEN cannot be said and the cell says so"]),
    (WithdrawsNothing, ["ending a link alive"]),
    (ForgetsHandBacks, ["a hand-back that a dying router had not taken", "ending a link alive"]),
    (KeepsHandBacks, ["the connection is whole, and after TAKEN"]),
    (ShutsHandBacksDown, ["the connection is whole, and after TAKEN"]),
    (LosesUnreadBytes, ["a request of another service goes back", "pipelined, it goes back"]),
    (ForgetsTls, ["what the router said of TLS"]),
    (NamesItselfAsListener, ["a request of another service goes back"]),
    (NumbersFromZero, ["a request of another service goes back"]),
    (TakesTheLastPartForAll, ["ROUTES in several parts"]),
    (
        LivesWithEverything,
        ["a message of an unknown kind", "TAKEN for a number", "a connection without its", "a router of another"],
    ),
    (TellsNoLoad, ["a load that has become smaller"]),
    (IsNobody, ["HELLO is said at once"]),
    (SaysNonsense, ["a connection is taken, and its request answered"]),
    (TakesLate, ["what has arrived is taken"]),
    (TrustsInRouters, ["where a router says no TAKEN"]),
    (SaysNoDraining, ["stopped, it unlinks"]),
]
