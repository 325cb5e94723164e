"""Connecting to a tcp server: its replicas one after the other, until one accepts."""

import errno
import os
import socket
from collections.abc import Callable, Iterator

from svckit.reactors import Reactor
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .. import window
from ..arrival import Address, RawSocket
from ..core.answers import BAD_GATEWAY, GATEWAY_TIMEOUT, NO_RESOURCE, Answer
from ..core.ejection import Ejection
from ..poller import WRITE, Poller

__all__ = ["UNBOUNDED", "Connecting", "Replica"]

_OURS = (errno.EADDRNOTAVAIL, errno.EAGAIN, errno.ENOBUFS)
"""Errors of connect(2) that say nothing of the replica: no port or no memory of our own left."""

_connection_kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


UNBOUNDED = 1 << 30
"""A capacity that is none."""


class Replica:
    """One address of the server."""

    def __init__(self, at: Address, ejection: "Ejection[Replica]", capacity: int = UNBOUNDED) -> None:
        """`ejection` is told how attempts at it end; those that nobody waits for any more do not count."""
        self.at, self.ejection, self.capacity = at, ejection, capacity
        self.name = "{}:{}".format(*at) if ":" not in at[0] else "[{}]:{}".format(*at)
        """For logs and status."""
        self.load = 0
        """Connections, or exchanges, that it has under way, and attempts at one."""
        self.drained = False
        """An operator wants no new ones to go there, and no idle ones kept."""

    @property
    def has_room(self) -> bool:
        """Whether it may have one more under way."""
        return self.load < self.capacity


class Connecting:
    """One connection in the making. It counts as load of the replica that is tried, and so does what becomes of it."""

    log = Logger()

    def __init__(
        self,
        candidates: Iterator[Replica],
        timeout: float,
        poller: Poller,
        reactor: Reactor,
        connected: Callable[[RawSocket, Replica], None],
        failed: Callable[[Answer], None],
    ) -> None:
        """`timeout` is for each replica, in seconds. Either `connected` or `failed` is called, once, unless it is cancelled."""
        self._candidates, self._timeout = candidates, timeout
        self._poller, self._reactor = poller, reactor
        self._connected, self._failed = connected, failed
        self._trying: tuple[RawSocket, Replica, IDelayedCall] | None = None
        self.tried: tuple[Replica, ...] = ()
        """Those that were asked so far."""

    def next(self, answer: Answer = BAD_GATEWAY) -> None:
        """Try the next replica; `answer` is what the client gets if there is none."""
        for replica in self._candidates:
            if replica.load >= replica.capacity:
                continue  # it had room when the order was made
            self.tried += (replica,)
            try:
                sock = self._open(replica)
            except OSError as error:  # not the replica's fault
                self.log.warn("cannot connect: {why}", why=error.strerror or error)
                answer = NO_RESOURCE
                if error.errno in _OURS:
                    continue
                break  # no descriptors, for instance: the next replica needs one too
            if sock is not None:
                replica.load += 1
                timer = self._reactor.callLater(self._timeout, self._too_late)
                self._trying = (sock, replica, timer)
                self._poller.add(sock.fileno(), WRITE, self._writable)
                return
        self._failed(answer)

    def cancel(self) -> None:
        """Nobody wants the connection any more."""
        if self._trying is not None:
            sock, replica = self._settle()
            replica.load -= 1
            sock.close()

    def _open(self, replica: Replica) -> RawSocket | None:
        host = replica.at[0]
        sock = RawSocket(socket.AF_INET6 if ":" in host else socket.AF_INET, _connection_kind, 0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = sock.connect_ex(replica.at)
        if error in (0, errno.EINPROGRESS):
            window.limit(sock)
            return sock
        sock.close()
        if error in _OURS:
            raise OSError(error, os.strerror(error))
        self._failure(replica, os.strerror(error))
        return None

    def _writable(self, events: int) -> None:
        sock, replica = self._settle()
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._refused(sock, replica, os.strerror(error))
            self.next(BAD_GATEWAY)
        else:
            replica.ejection.succeeded(replica)
            self._connected(sock, replica)

    def _too_late(self) -> None:
        sock, replica = self._settle()
        self._refused(sock, replica, "no answer in time")
        self.next(GATEWAY_TIMEOUT)

    def _settle(self) -> tuple[RawSocket, Replica]:
        assert self._trying is not None
        sock, replica, timer = self._trying
        self._trying = None
        self._poller.remove(sock.fileno())
        if timer.active():
            timer.cancel()
        return sock, replica

    def _refused(self, sock: RawSocket, replica: Replica, why: str) -> None:
        replica.load -= 1
        sock.close()
        self._failure(replica, why)

    def _failure(self, replica: Replica, why: str) -> None:
        self.log.info("{replica} does not accept: {why}", replica=replica.name, why=why)
        if replica.ejection.failed(replica, self._reactor.seconds()):
            self.log.warn(
                "{replica} is passed over for a while: it has not accepted several times in a row", replica=replica.name
            )
