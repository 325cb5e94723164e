"""How much the kernel may hold of what a server sends and the client has not taken yet.

It begins small, as most of what a slow client leaves lying would lie there. But what can be spliced in one go is what the
socket holds, and each go costs the same, so a flow that has shown to be fast may have more: as much as the kernel's own
tuning gives (`net.ipv4.tcp_rmem`).
"""

import contextlib
import socket
from _socket import socket as RawSocket

__all__ = ["FAST_BUFFER", "FIRST_BUFFER", "let_grow", "limit"]

FIRST_BUFFER = 262_144
"""Bytes, and what the kernel needs to keep them."""
FAST_BUFFER = 4 << 20
"""Bytes that it has at once when it may grow; never more than half of what `tcp_rmem` allows."""

_SO_BUF_LOCK = 72  # asm-generic/socket.h, Linux 5.14; Python has no name for it


def limit(sock: RawSocket) -> None:
    """Hold `FIRST_BUFFER`. After connect(2) has begun: set before, it bounds the window's scale, and so the window for ever."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FIRST_BUFFER)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, FIRST_BUFFER)


def let_grow(sock: RawSocket) -> None:
    """Lift the limit. The kernel's tuning would stay where it is, as the window shows no more than it lets in; asking to be
    woken for many bytes makes room for them (`tcp_set_rcvlowat`), where SO_RCVBUF may not go beyond `rmem_max`.
    """
    with contextlib.suppress(OSError):  # a kernel that cannot: it stays as it is
        sock.setsockopt(socket.SOL_SOCKET, _SO_BUF_LOCK, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, FAST_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
