"""What the kernel holds of what a server sends: little at first, more when it may."""

import errno
import socket
from contextlib import closing, suppress

from portico import window

from .support.wires import tcp_pair


def filled(sender: socket.socket) -> int:
    """Bytes that a peer sends until it is stopped."""
    sent, piece = 0, bytes(1 << 16)
    with suppress(BlockingIOError):
        while sent < 64 << 20:
            sent += sender.send(piece)
    return sent


def may_grow() -> bool:
    """Whether this kernel can lift a limit (Linux 5.14), asked of a socket that has nothing to do with the test."""
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, window._SO_BUF_LOCK, 0)
        except OSError as error:
            assert error.errno == errno.ENOPROTOOPT
            return False
        return True


def test_it_holds_little_and_then_more_where_the_kernel_can() -> None:
    sender, receiver = tcp_pair()
    with sender, closing(receiver):
        sender.setblocking(False)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        window.limit(receiver)
        assert filled(sender) < 4 * window.FIRST_BUFFER
        window.let_grow(receiver)
        more = 0
        receiver.settimeout(10)
        while more < 2 * window.FIRST_BUFFER:  # the window opens as it is read
            receiver.recv(1 << 16)
            more += filled(sender)
        held = receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert (held > 4 * window.FIRST_BUFFER) == may_grow()
        assert receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


def test_a_kernel_that_cannot_is_left_alone() -> None:
    calls: list[tuple[int, int, int]] = []

    class Old:
        def setsockopt(self, level: int, name: int, value: int) -> None:
            calls.append((level, name, value))
            raise OSError(errno.ENOPROTOOPT, "protocol not available")

    window.let_grow(Old())  # type: ignore[arg-type]
    assert len(calls) == 1
