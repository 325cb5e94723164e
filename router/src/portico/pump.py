"""What one socket of a tunnel sends the other gets, by splice(2): bulk data never enters this program. `tunnel` joins the two.

Each `End` carries the flow *from* its socket *to* its peer. Small pieces are received and sent, as splice costs twice as much
for them; once a read fills the buffer the flow goes through a pipe in the kernel, and back again when it thins out. What the
receiving side does not take stays where it is, and the sending side is not read meanwhile: memory is flat under a slow reader.

One side's end-of-file is passed on as such (half-close), one side's reset as a reset. EPOLLHUP cannot be masked, so a socket
from which nothing is wanted is taken out of epoll, else it would spin, or a peer that has half-closed would look dead.
"""

import contextlib
import errno
import fcntl
import os
import socket
import sys
import termios
from _socket import socket as RawSocket
from typing import TYPE_CHECKING

from .arrival import do_not_wait
from .core.termination import DATA, NORMAL, SERVER, Who
from .flow import NEVER, PIPE_SIZE, SMALL, SMALLER_PIPE, Flow, SinkLost
from .poller import ERROR, HANGUP, READ, WRITE
from .window import let_grow

if TYPE_CHECKING:
    from .tunnel import Tunnel

__all__ = ["NO_PIPES", "PIPE_SIZE", "SMALL", "End", "Pipes"]

_DONTWAIT = int(socket.MSG_DONTWAIT)
_ANY = 1 << 62
_RESET = b"\1\0\0\0\0\0\0\0"


class Pipes:
    """Pipes for reuse. One with bytes left in it is never used again."""

    KEPT = 64
    """Pipes that wait for use."""
    LARGE = 32
    """Pipes in use of the full size, half of what an unprivileged user may have. Who is over that gets two pages."""

    def __init__(self) -> None:
        self._free: list[tuple[int, int]] = []
        self._made = 0

    def get(self) -> tuple[int, int]:
        """An empty non-blocking pipe.

        Raises:
            OSError: too many descriptors.
        """
        if self._free:
            return self._free.pop()
        pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._made += 1
        with contextlib.suppress(OSError):  # over the user's share: the default size works too
            fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, PIPE_SIZE if self._made <= self.LARGE else SMALLER_PIPE)
        return pipe

    def put(self, pipe: tuple[int, int], empty: bool) -> None:
        """Give a pipe back. That it is empty is asked of the kernel too: what is in it would go to somebody else's client."""
        if empty and len(self._free) < self.KEPT and not _bytes_in(pipe):
            self._free.append(pipe)
        else:
            self._made -= 1
            os.close(pipe[0])
            os.close(pipe[1])

    def close(self) -> None:
        """Close those that are kept."""
        while self._free:
            self.put(self._free.pop(), False)


def _bytes_in(pipe: tuple[int, int]) -> int:
    return int.from_bytes(fcntl.ioctl(pipe[0], termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)


class NoPipes(Pipes):
    """For connections that somebody else may hold too: splice(2) would wait where their socket's flags say so."""

    def get(self) -> tuple[int, int]:
        """None.

        Raises:
            OSError: always; copying goes on without.
        """
        raise OSError(errno.EMFILE, "this connection is copied")


NO_PIPES = NoPipes()


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
