"""Bodies of known length by splice(2): socket, pipe, file, and the bytes never come into Python's memory.

A thread moves what has arrived, up to `PER_JOB`, and gives the socket back to the reactor, which waits for more. So the disk
slows the socket down by itself, and a slow client occupies no thread. The thread has a descriptor of its own (dup), as the
reactor may close its one meanwhile.

twisted.web hears of none of this: it is told of the end as if the last bytes had come through it. That is done on the
transport's `doRead` and the channel's decoder, both of the instance. On a transport that is no plain TCP connection (TLS, one
in memory) bodies take the ordinary way.
"""

import errno
import fcntl
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred

from .sink import Sink

__all__ = ["LEAST", "PER_JOB", "Moved", "Pipe", "Splicing", "can_splice", "into_file"]

LEAST = 128 << 10
"""Bytes still to come below which the ordinary way is as quick."""
PER_JOB = 16 << 20
"""Most bytes that are moved before the reactor has its turn: timeouts and the end of the connection are its business."""
_PIPE = 1 << 20
_PIECE = 128 * 1024
_F_SETPIPE_SZ = 1031
_A_MOMENT = 5
"""Milliseconds that a thread waits for more, as handing over twice costs more than that on a busy machine."""
_WHILE = 0.05
"""Seconds after which a job waits no more: a client that trickles must not keep a thread."""


def can_splice(transport: Any) -> bool:
    """Whether `transport` is a plain TCP connection."""
    return isinstance(transport, tcp.Connection) and not transport.TLS and transport.socket.family != socket.AF_UNIX


class Moved(int):
    """How many bytes a job has moved."""

    ended = False
    """Whether the socket has nothing more to give: its end, or an error, which reading in the ordinary way will tell."""


class Pipe:
    """Between a socket and files. Blocks; in one thread at a time."""

    def __init__(self, fd: int) -> None:
        """`fd` is the socket's; a duplicate of it is kept until `close`.

        Raises:
            OSError: there are no descriptors left.
        """
        self._out, self._in = os.pipe2(os.O_CLOEXEC)
        try:
            self._fd = os.dup(fd)
        except OSError:
            os.close(self._out)
            os.close(self._in)
            raise
        with suppress(OSError):  # users have a bound on it; the default size works, too
            fcntl.fcntl(self._in, _F_SETPIPE_SZ, _PIPE)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self.stopped = False
        """Set from the reactor's thread: nothing more is wanted."""

    def close(self) -> None:
        for fd in (self._fd, self._out, self._in):
            os.close(fd)

    def move(self, limit: int, put: "Callable[[int, int], None]") -> Moved:
        """What has arrived, at most `limit` bytes; `put(descriptor, count)` takes each piece out of the pipe.

        Raises:
            OSError: `put` has failed.
        """
        moved, ended, began = 0, False, time.monotonic()
        while moved < limit and not self.stopped:
            try:
                count = os.splice(self._fd, self._in, min(limit - moved, _PIPE), flags=os.SPLICE_F_MOVE)
            except BlockingIOError:
                if not moved or time.monotonic() - began > _WHILE or not self._poll.poll(_A_MOMENT):
                    break
                continue
            except OSError:
                ended = True
                break
            if not count:
                ended = True
                break
            put(self._out, count)
            moved += count
        result = Moved(moved)
        result.ended = ended
        return result


_NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


def into_file(pipe: int, fd: int, count: int) -> None:
    """`count` bytes from `pipe` into `fd`.

    Raises:
        OSError: the disk is full, or worse.
    """
    left = count
    while left:
        try:
            left -= os.splice(pipe, fd, left, flags=os.SPLICE_F_MOVE)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            data = os.read(pipe, min(left, _PIECE))  # a file system without it
            left -= len(data)
            while data:
                data = data[os.write(fd, data) :]


class Splicing:
    """One body on its way; begun when what came through twisted.web is in the sink."""

    def __init__(self, channel: Any, sink: Sink, left: int, flow: Any) -> None:
        """`left` bytes are still in the socket; `flow` is stopped while a thread has it.

        Raises:
            OSError: there are no descriptors left; nothing has changed then.
        """
        self._channel, self._sink, self._left, self._flow = channel, sink, left, flow
        self._body: Any = sink.body  # one of those that have `splice`
        self._transport = channel.transport
        self._pipe = Pipe(self._transport.fileno())
        self._busy = False
        self._sink.closed.addBoth(lambda _: self._pipe.close())
        self._hook: Callable[[], None] = self._readable
        self._transport.doRead = self._hook
        self._readable()

    def _readable(self) -> None:
        """In `doRead`'s place: the socket has something, or has ended."""
        self._flow.full()
        if self._busy:  # an earlier answer is out, and the channel reads on: it does not know that a thread has the socket
            return
        self._busy = True
        done: Deferred[Moved] = self._sink.turn(partial(self._body.splice, self._pipe, min(self._left, PER_JOB)))
        done.addCallback(self._moved)

    def _moved(self, moved: Moved) -> None:
        self._busy = False
        self._left -= moved
        self._sink.received += moved
        self._channel._transferDecoder.contentLength = self._left
        if not self._left or moved.ended:
            self.stop()
        if self._left:
            self._flow.flowing()
            return
        decoder = self._channel._transferDecoder
        finish = decoder.finishCallback
        decoder.dataCallback = decoder.finishCallback = None
        finish(b"")

    def stop(self) -> None:
        """Reading is to go the ordinary way again: once the sink is closed, where a thread may have the socket just now."""
        self._pipe.stopped = True
        if self._transport.__dict__.get("doRead") is self._hook:
            del self._transport.doRead
