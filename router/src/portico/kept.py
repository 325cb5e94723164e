"""A router's connection to the keeper (`portico.keeper`), from which it borrows the sockets that it listens on.

Requests are answered at once and waited for, at start and at a reload. While the router runs nothing comes but the end of the
connection: then the keeper has died, and what was borrowed is this router's own, to be used as if it had made it itself.
"""

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from svckit.reactors import Reactor
from twisted.logger import Logger

from .keeper import MESSAGE, Address, name_of, unix_name

__all__ = ["ANSWER_TIME", "FIND_TIME", "Kept", "Lender"]

FIND_TIME = 2.0
"""Seconds that a keeper may take to be there: it may be started at the same time."""
FIND_INTERVAL = 0.05
"""Seconds between two looks for it."""
ANSWER_TIME = 3.0
"""Seconds for an answer."""

_INT = struct.Struct("i")
_ROOM = socket.CMSG_SPACE(_INT.size)
_TIMEVAL = struct.Struct("ll")
_NOT_YET = (errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN)


class Lender(Protocol):
    """Whoever lends listening sockets."""

    @property
    def is_gone(self) -> bool:
        """Whether what was borrowed is the borrower's own."""

    def borrow(self, at: Address) -> socket.socket:
        """The listening socket for `at`, non-blocking.

        Raises:
            OSError: it cannot be had; the text says why.
        """

    def leave(self, at: Address) -> None:
        """Let go of it."""


class Kept:
    """A connection that lasts as long as the router."""

    log = Logger()

    def __init__(self, address: str, find_time: float = FIND_TIME) -> None:
        """`address` as the keeper was given it.

        Raises:
            OSError: no keeper answers there; the text says so.
        """
        self._address = address
        self._sock = _connect(address, find_time)
        self._reactor: Reactor | None = None
        self._gone = False
        try:
            self.seed = bytes.fromhex(self._ask("seed", "seed ")[0])
            """16 bytes, the same for all routers of this keeper."""
        except (OSError, ValueError) as error:
            self._sock.close()
            raise OSError(errno.EPROTO, f"no keeper answers at {address}: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def borrow(self, at: Address) -> socket.socket:
        """The listening socket for `at`, non-blocking.

        Raises:
            OSError: it cannot be had; the text says why.
        """
        if self.is_gone:
            raise OSError(errno.ENOTCONN, f"cannot listen on {name_of(at)}: the keeper at {self._address} is gone")
        _, descriptors = self._ask(f"listen {name_of(at)}", "ok")
        (descriptor,) = descriptors
        sock = socket.socket(fileno=descriptor)
        sock.setblocking(False)
        return sock

    def leave(self, at: Address) -> None:
        """Let go of it; whoever else uses it, or comes next, has its queue."""
        with contextlib.suppress(OSError):
            self._sock.send(f"leave {name_of(at)}".encode(), socket.MSG_DONTWAIT)

    @property
    def is_gone(self) -> bool:
        """Whether the keeper has ended."""
        if not self._gone:
            try:
                self._gone = not self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self._gone = True
        return self._gone

    def _ask(self, request: str, expected: str) -> tuple[str, list[int]]:
        try:
            self._sock.send(request.encode())
            packet, carried, _, _ = self._sock.recvmsg(MESSAGE, _ROOM, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, TimeoutError):
            self._gone = True  # an answer that comes late would be taken for the next one's
            raise OSError(errno.ETIMEDOUT, f"the keeper at {self._address} does not answer") from None
        except OSError as error:
            self._gone = True
            raise OSError(error.errno, f"the keeper at {self._address}: {error.strerror or error}") from None
        if not packet:
            self._gone = True
            raise OSError(errno.ECONNRESET, f"the keeper at {self._address} has hung up")
        descriptors = [number for _, _, data in carried for (number,) in _INT.iter_unpack(data)]
        text = packet.decode("ascii", "replace")
        if text.startswith(expected) and len(descriptors) == (expected == "ok"):
            return text.removeprefix(expected), descriptors
        for descriptor in descriptors:
            os.close(descriptor)
        word, _, rest = text.partition(" ")
        number, _, why = rest.partition(" ")
        if word == "error" and number.isdecimal():
            raise OSError(int(number), why)
        raise OSError(errno.EPROTO, f"the keeper at {self._address} answers {text[:40]!r}")

    # -- descriptor of the reactor

    def watch(self, reactor: Reactor, lost: Callable[[], None] = lambda: None) -> None:
        """Notice the keeper's end, and call `lost` then."""
        self._reactor, self._lost = reactor, lost
        reactor.addReader(self)  # type: ignore[arg-type]

    def fileno(self) -> int:
        """For the reactor."""
        return self._sock.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "keeper"

    def doRead(self) -> None:
        """The keeper's end; it says nothing that it was not asked for."""
        assert self._reactor is not None
        self._reactor.removeReader(self)  # type: ignore[arg-type]
        self._gone = True
        self.log.error("the keeper at {address} is gone; the ports stay this router's own", address=self._address)
        self._lost()

    def connectionLost(self, reason: object) -> None:
        """For the reactor, at its end."""

    def close(self) -> None:
        """Leave everything."""
        if self._reactor is not None:
            self._reactor.removeReader(self)  # type: ignore[arg-type]
            self._reactor = None
        self._sock.close()
        self._gone = True


def _connect(address: str, find_time: float) -> socket.socket:
    end = time.monotonic() + find_time
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # the kernel's: Python's would wait in spite of MSG_DONTWAIT
            sock.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(int(ANSWER_TIME), 0))
        try:
            sock.connect(unix_name(address))
        except OSError as error:
            sock.close()
            if error.errno not in _NOT_YET or time.monotonic() >= end:
                raise OSError(error.errno, f"no keeper answers at {address}: {error.strerror or error}") from None
            time.sleep(FIND_INTERVAL)
        else:
            return sock
