"""What is on its way to one socket: bytes that it has not taken yet, in this program or in a pipe in the kernel.

Whoever sends looks at `held` afterwards: as long as something is held nothing more may be read for this socket, and so memory
stays flat under a slow reader. Small pieces are received and sent; bulk goes by splice(2) and never enters this program.
"""

import os
import socket
import struct
from _socket import socket as RawSocket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pipes import Pipes

__all__ = ["DONTWAIT", "FIRST", "NEVER", "PIPE_SIZE", "RESET", "SMALL", "SMALLER_PIPE", "Flow", "SinkLost"]

SMALL = 65_536
"""Bytes; a read that fills this much switches to splice."""
FIRST = 16_384
"""Bytes asked for where a head is awaited: a smaller buffer costs less, and most of what begins with a head is small."""
PIPE_SIZE = 1 << 20
"""Bytes asked for a pipe: what goes through in larger pieces costs less. An unprivileged user has 64 MiB of pipes in all."""
SMALLER_PIPE = 1 << 18
"""The same where there are many."""
THIN = 4_096
"""Bytes; a splice that moves less switches back."""
TURNS = 16
"""Splices of one flow in one go, so that others get their turn."""
FAST = 16 << 20
"""Bytes; a flow that moves as many without a wait for its sink is fast."""
NEVER = 1 << 62

DONTWAIT = int(socket.MSG_DONTWAIT)
"""For a receive that never waits."""
RESET = struct.pack("ii", 1, 0)
"""As SO_LINGER: closing sends RST."""

_SPLICE = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
_SEND_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


class SinkLost(ConnectionError):
    """The socket that bytes were sent to takes no more, for ever."""


class Flow:
    """Bytes on their way to `sink`."""

    __slots__ = ("_in_pipe", "_pending", "_pipe", "_pipes", "fast_at", "moved", "sink", "thin")

    def __init__(self, sink: RawSocket, pipes: "Pipes") -> None:
        self.sink, self._pipes = sink, pipes
        self._pending = b""
        self._pipe: tuple[int, int] | None = None
        self._in_pipe = 0
        self.moved = 0
        """Bytes that the sink has taken."""
        self.fast_at = FAST
        """With so many moved it has shown to be fast."""
        self.thin = False
        """What was spliced last was not worth it."""

    @property
    def held(self) -> bool:
        """Whether there are bytes that the sink has not taken."""
        return bool(self._pending or self._in_pipe)

    def go_on_from(self, moved: int) -> None:
        """It has moved so much before it rested. Whether it is fast is to be shown anew."""
        self.moved, self.fast_at = moved, moved + FAST

    def send(self, piece: bytes) -> bool:
        """Send; False if a part is held now. Not while spliced bytes are held: they come first.

        Raises:
            SinkLost: the sink is gone.
        """
        assert not self._in_pipe
        if self._pending:
            self._pending += piece
            return False
        try:
            sent = self.sink.send(piece, _SEND_FLAGS)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            raise SinkLost(*error.args) from None
        self.moved += sent
        if sent < len(piece):
            self._pending = piece[sent:]
            return False
        return True

    def splice(self, source: int, most: int) -> int:
        """Move up to `most` bytes from the socket `source`; how many it gave, 0 at its end. Not while bytes are held.

        Ends early where the sink takes less, where little comes (`thin`: what remains is for copying), and after `TURNS`.

        Raises:
            BlockingIOError: the source has nothing now.
            SinkLost: the sink is gone.
            OSError: the source is, or there is no descriptor for a pipe (`can_splice` tells).
        """
        assert self._pipe is not None
        assert not self.held
        (outlet, inlet), sink, splice = self._pipe, self.sink.fileno(), os.splice
        moved = 0
        for _ in range(TURNS):
            room = most - moved
            try:  # by position: names cost a tenth of the call
                got = splice(source, inlet, PIPE_SIZE if room > PIPE_SIZE else room, None, None, _SPLICE)
            except BlockingIOError:
                if moved:
                    break
                raise
            if not got:
                break  # where something has moved before it, the end is found again
            moved += got
            try:
                gone = splice(outlet, sink, got, None, None, _SPLICE)
            except (BlockingIOError, InterruptedError):
                gone = 0
            except OSError as error:
                raise SinkLost(*error.args) from None
            self.moved += gone
            if gone < got:  # the sink is full: trying again would say so
                self._in_pipe = got - gone
                self.fast_at = max(self.fast_at, self.moved + FAST)
                break
            if got < THIN or most - moved < SMALL:
                break
        self.thin = moved < THIN and not self._in_pipe  # of the whole go: little that comes behind much is worth no change
        return moved

    def can_splice(self) -> bool:
        """Get a pipe; False if there is none to be had: copying costs more, and works."""
        if self._pipe is None:
            try:
                self._pipe = self._pipes.get()
            except OSError:
                return False
        return True

    def rest(self) -> None:
        """Give an empty pipe back: what comes next is copied, and most connections are idle for most of the time."""
        if self._pipe is not None and not self._in_pipe:
            self._pipes.put(self._pipe, True)
            self._pipe = None

    def flush(self) -> bool:
        """Send what is held; whether all is out.

        Raises:
            SinkLost: the sink is gone.
        """
        if self._pending:
            piece, self._pending = self._pending, b""
            if not self.send(piece):
                return False
        if self._in_pipe:
            self._empty_pipe()
        return not self._in_pipe

    def _empty_pipe(self) -> None:
        assert self._pipe is not None
        source, sink = self._pipe[0], self.sink.fileno()
        try:
            while self._in_pipe:
                gone = os.splice(source, sink, self._in_pipe, flags=_SPLICE)
                self._in_pipe -= gone
                self.moved += gone
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            raise SinkLost(*error.args) from None

    def close(self) -> None:
        """Let go of the pipe; the socket is not ours."""
        self._pending = b""
        if self._pipe is not None:
            self._pipes.put(self._pipe, not self._in_pipe)
            self._pipe, self._in_pipe = None, 0
