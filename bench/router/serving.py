"""One connection of the backend, from its first request to its end or to its way back to the router."""

import contextlib
import os
import socket
import zlib
from collections.abc import Callable

from svckit.ownership import Ownership

from .loop import IN, OUT, Loop
from .replies import FILE, Reply, head_end, reply, uploaded

__all__ = ["Connection", "Service"]

PIECE = 65_536
TURN = 4 << 20
"""Bytes of one bulk transfer before the others get their turn."""
_scratch = bytearray(1 << 20)
_TRUNCATE = int(socket.MSG_TRUNC | socket.MSG_DONTWAIT)  # TCP throws the bytes away instead of copying them


class Service:
    """What the connections of one service share. Requests that come byte for byte the same are looked at once."""

    def __init__(self, name: str, loop: Loop, big: int) -> None:
        """`big` is the descriptor of the large file."""
        self.name, self.loop, self.big = name, loop, big
        self.ownership = Ownership()
        self._known: dict[bytes, Reply] = {}
        self._owned: dict[bytes, bool] = {}

    def reply(self, head: bytes) -> Reply:
        found = self._known.get(head)
        if found is None:
            if len(self._known) > 256:
                self._known.clear()
            found = self._known[head] = reply(self.name, head)
        return found

    def owns(self, head: bytes) -> bool:
        """Whether a request on a connection that was handed over is this service's."""
        found = self._owned.get(head)
        if found is None:
            found = self._owned[head] = self.ownership.owns(head.split(b" ", 2)[1])
        return found

    def told(self, patterns: tuple[tuple[str, bool], ...]) -> None:
        """The router's routes, as it said last."""
        self.ownership.update(patterns)
        self._owned.clear()


class Connection:
    """Reads, answers, and is over by `ended` or `back`."""

    __slots__ = (
        "_asked", "_back", "_close", "_echo", "_ended", "_left", "_pending", "_read", "_sent", "_service", "_total", "_unread",
        "sock",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        service: Service,
        ended: "Callable[[Connection], None] | None" = None,
        back: "Callable[[Connection, bytes], None] | None" = None,
    ) -> None:
        """`back` takes it when the next request is another service's; None: it was accepted here, and all requests are ours."""
        self.sock, self._service, self._unread = sock, service, b""
        self._ended, self._back = ended, back
        self._asked = self._echo = self._close = False
        self._pending = b""  # what the socket has not taken
        self._left = self._sent = self._read = 0  # of the large file to send, sent of it, of a body still to come
        self._total: int | None = None  # the CRC-32 of that body, where it is asked for
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        service.loop.add(sock.fileno(), self._ready)

    def begin(self, unread: bytes) -> None:
        """What the router has read of it."""
        self._unread = unread
        self._serve()

    def _ready(self, events: int) -> None:
        try:
            if events & OUT:
                self._flush()
                return
            if self._read:
                self._discard()
                return
            data = self.sock.recv(PIECE)
            if not data:
                self._over()
            elif self._echo:
                self._write(data)
            else:
                self._unread += data
                self._serve()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._over()

    def _serve(self) -> None:
        while self._unread and not (self._pending or self._left or self._read):
            end = head_end(self._unread)
            if not end:
                return
            head, rest = self._unread[:end], self._unread[end:]
            if self._asked and self._back is not None and not self._service.owns(head):
                self._service.loop.remove(self.sock.fileno())
                self._back(self, self._unread)
                return
            self._asked, self._unread = True, rest
            found = self._service.reply(head)
            self._close = found.close
            if found.upload:
                self._read, self._sent = max(found.upload - len(rest), 0), found.upload
                self._total = zlib.crc32(rest[: found.upload]) if found.summed else None
                self._unread = rest[found.upload :]
                self._discard()
                return
            self._left, self._sent, self._echo = found.big, 0, found.echo
            if not self._write(found.head):
                return
            if self._echo and self._unread:
                early, self._unread = self._unread, b""
                self._write(early)

    def _write(self, data: bytes) -> bool:
        """Whether all is out, and the connection is still ours."""
        self._pending = data
        if self._flush(False):
            return True
        if self.sock.fileno() >= 0:
            self._service.loop.change(self.sock.fileno(), OUT)
        return False

    def _flush(self, waited: bool = True) -> bool:
        """Whether all is out; `waited`: go on with what has come meanwhile."""
        if self._pending:
            try:
                count = self.sock.send(self._pending)
            except (BlockingIOError, InterruptedError):
                return False
            self._pending = self._pending[count:]
            if self._pending:
                return False
        turn, big = TURN, self._service.big
        while self._left:
            if turn <= 0:
                return False
            try:
                count = os.sendfile(self.sock.fileno(), big, self._sent % FILE, min(self._left, 1 << 20))
            except (BlockingIOError, InterruptedError):
                return False
            self._left, self._sent, turn = self._left - count, self._sent + count, turn - count
        if self._close:
            self._over()
            return False
        if waited:
            self._service.loop.change(self.sock.fileno(), IN)
            self._serve()
        return self.sock.fileno() >= 0

    def _discard(self) -> None:
        turn, flags = TURN, _TRUNCATE if self._total is None else int(socket.MSG_DONTWAIT)
        while self._read and turn > 0:
            try:
                count = self.sock.recv_into(_scratch, min(self._read, len(_scratch)), flags)
            except (BlockingIOError, InterruptedError):
                return
            if not count:
                self._over()
                return
            self._read, turn = self._read - count, turn - count
            if self._total is not None:
                self._total = zlib.crc32(memoryview(_scratch)[:count], self._total)
        if not self._read and self._write(uploaded(self._sent, self._close, self._total)):
            self._serve()

    def _over(self) -> None:
        if self.sock.fileno() < 0:
            return
        self._service.loop.remove(self.sock.fileno())
        if self._ended is not None:  # a router may have a descriptor of it, too, until it has read TAKEN
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        if self._ended is not None:
            self._ended(self)
