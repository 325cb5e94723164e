"""What one socket of a tunnel sends the other gets, by splice(2): bulk data never enters this program. `tunnel` joins the two.

Each `End` carries the flow *from* its socket *to* its peer. Small pieces are received and sent, as splice costs twice as much
for them; once a read fills the buffer the flow goes through a pipe in the kernel, and back again when it thins out. What the
receiving side does not take stays where it is, and the sending side is not read meanwhile: memory is flat under a slow reader.

One side's end-of-file is passed on as such (half-close), one side's reset as a reset. EPOLLHUP cannot be masked, so a socket
from which nothing is wanted is taken out of epoll, else it would spin, or a peer that has half-closed would look dead.
"""

import contextlib
import socket
from _socket import socket as RawSocket
from typing import TYPE_CHECKING

from .arrival import do_not_wait
from .core.termination import DATA, NORMAL, SERVER, Who
from .flow import NEVER, SMALL, Flow, SinkLost
from .pipes import NO_PIPES
from .poller import ERROR, HANGUP, READ, WRITE
from .window import let_grow

if TYPE_CHECKING:
    from .tunnel import Tunnel

__all__ = ["End"]

_DONTWAIT = int(socket.MSG_DONTWAIT)
_ANY = 1 << 62
_RESET = b"\1\0\0\0\0\0\0\0"


class End(Flow):
    """One of the two sockets, and the flow from it to its peer."""

    __slots__ = ("_at_eof", "_descriptor", "_name", "_splicing", "_told", "_tunnel", "_wanted", "peer", "sock")

    peer: "End"

    def __init__(self, sock: RawSocket, sink: RawSocket, name: Who, tunnel: "Tunnel") -> None:
        super().__init__(sink, tunnel.pipes)
        self.sock, self._name, self._tunnel = sock, name, tunnel
        self._descriptor = sock.fileno()
        self._splicing = False
        self._at_eof = False  # this side sends no more
        self._told = False  # and its peer has been told so
        self._wanted = 0

    def start(self, events: int, pending: bytes = b"") -> None:
        """Watch the socket; `pending` goes to the peer before anything that is read."""
        self._pending = pending
        self._wanted = events
        self._tunnel.poller.add(self._descriptor, events, self._on_events)

    @property
    def at_eof(self) -> bool:
        """Whether this side sends nothing more."""
        return self._at_eof

    @property
    def is_quiet(self) -> bool:
        """Whether all that came from this side has gone on, and more may come."""
        return self._wanted == READ and not (self.held or self._at_eof or self.peer._at_eof)

    def lay_down(self) -> None:
        """Be forgotten, with the socket still watched; give the pipe back."""
        self.close()
        del self.peer, self._tunnel  # these are cycles, and would wait for the garbage collector

    def wake(self) -> None:
        """Begin with a socket that is watched already, for one which has rested."""
        self._wanted = READ
        self._tunnel.poller.wake(self._descriptor, self._on_events)

    def want(self, events: int) -> None:
        """Watch for exactly these events."""
        if events != self._wanted:
            self._tunnel.poller.change(self._descriptor, self._wanted, events)
            self._wanted = events

    def _on_events(self, events: int) -> None:
        if events & WRITE and not self.peer.drain():
            return
        if self._tunnel.over:
            return
        if events & READ:
            self._read()
        elif events & (ERROR | HANGUP):
            if self._wanted & READ:
                self._read()  # what is left is delivered, then recv tells end-of-file or reset
            else:
                self._tunnel.close(self._name + DATA, reset=True)

    # -- moving

    def _read(self) -> None:
        if self.held or self._at_eof:
            return
        try:
            if self._splicing and self.can_splice():
                self._splice()
            else:
                self._copy()
        except (BlockingIOError, InterruptedError):
            pass
        except SinkLost:
            self._tunnel.close(self.peer._name + DATA, reset=True)
        except OSError:
            self._tunnel.close(self._name + DATA, reset=True)

    def _copy(self) -> None:
        piece = self.sock.recv(SMALL, _DONTWAIT)
        if not piece:
            self._end_of_file()
        elif not self.send(piece):
            self._wait_for_peer()
        elif len(piece) == SMALL:
            self._splicing = True

    def _splice(self) -> None:
        if not self.splice(self._descriptor, _ANY):
            self._end_of_file()
        elif self.held:
            self._wait_for_peer()
        elif self.thin:
            self._splicing = False
            self.rest()
        elif self.moved >= self.fast_at:
            self.fast_at = NEVER
            if self._name == SERVER:  # a client's has no limit of ours
                let_grow(self.sock)

    def _wait_for_peer(self) -> None:
        self.want(self._wanted & ~READ)
        self.peer.want(self.peer._wanted | WRITE)

    def drain(self) -> bool:
        """The peer takes bytes again: push what is held. False when the tunnel has ended by that."""
        try:
            if not self.flush():
                return True
        except SinkLost:
            self._tunnel.close(self.peer._name + DATA, reset=True)
            return False
        if self._splicing and not self._at_eof:
            self._read()  # at once, where more has surely come: most waits of bulk are short, and cost four changes and a turn
            if self._tunnel.over:
                return False
            if self.held:
                return True
        self.peer.want(self.peer._wanted & ~WRITE)
        if self._at_eof:
            self._pass_on_eof()
            return not self._tunnel.over
        self.want(self._wanted | READ)
        return True

    # -- ending

    def _end_of_file(self) -> None:
        self._at_eof = True
        self.want(self._wanted & ~READ)
        if not self.held:
            self._pass_on_eof()

    def _pass_on_eof(self) -> None:
        if self._told:
            return
        self._told = True
        if self.peer._told:
            self._tunnel.close(NORMAL, reset=False)
            return
        try:
            self.peer.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._tunnel.close(self.peer._name + DATA, reset=True)

    def let_go(self, reset: bool) -> None:
        """Close the socket and the pipe."""
        if reset:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        elif self._pipes is NO_PIPES:
            do_not_wait(self.sock)
        self._tunnel.poller.remove(self._descriptor, self._wanted)
        self.sock.close()
        self.close()
