"""Packets with descriptors over a SOCK_SEQPACKET link: the only place that knows about ancillary data."""

import array
import contextlib
import socket
import sys
import threading

from .codec import MESSAGE_LIMIT, Malformed
from .strangers import discard

__all__ = ["DescriptorsLost", "empty", "receive", "send", "widen"]

_DESCRIPTOR = array.array("i").itemsize
_ROOM = socket.CMSG_SPACE(_DESCRIPTOR * 253)  # SCM_MAX_FD: what has no room the kernel closes, and may wait for it
# plain integers: combining the enumeration's members costs more than the system call's own overhead
_RECEIVE_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
_SEND_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
_TRUNCATED, _CUT = int(socket.MSG_CTRUNC), int(socket.MSG_TRUNC)
_LESS = _TRUNCATED | _CUT
_SOL_SOCKET, _SCM_RIGHTS = int(socket.SOL_SOCKET), int(socket.SCM_RIGHTS)
_SHORT = 32  # what most packets that bring no connection have at most
LINK_BUFFER = 1 << 20
"""Bytes asked for as the link's send buffer (the kernel's own limit may be lower): how many connections may be on their way."""
_MOST_QUEUED = 1 << 16
"""Packets; more than ever lie in a link, as the kernel counts several hundred bytes for each."""


class _Room(threading.local):
    """Where a packet is received: a fresh one for each would cost more than the packet.

    One for each thread, as the interpreter lets other threads run between the system call and the copy.
    """

    def __init__(self) -> None:
        self.view = memoryview(bytearray(MESSAGE_LIMIT))


_room = _Room()


class DescriptorsLost(OSError):
    """The kernel could not give us a descriptor that came with a packet: this process has too many open."""


def widen(link: socket.socket) -> None:
    """Give a link room for many packets."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LINK_BUFFER)


def send(link: socket.socket, packet: bytes, descriptor: int | None = None) -> None:
    """Send one packet, with a descriptor if there is one; the sender keeps its own copy.

    Raises:
        BlockingIOError: the other side does not read, its queue is full.
        OSError: ETOOMANYREFS (too many descriptors on their way), or the link has ended.
    """
    if descriptor is None:
        link.send(packet, _SEND_FLAGS)
    else:
        rights = ((_SOL_SOCKET, _SCM_RIGHTS, descriptor.to_bytes(_DESCRIPTOR, sys.byteorder)),)
        link.sendmsg((packet,), rights, _SEND_FLAGS)


def receive(link: socket.socket) -> tuple[bytes, int | None]:
    """The next packet and its descriptor, or (b"", None) at the end of the link.

    Raises:
        BlockingIOError: there is none now.
        DescriptorsLost: a packet came and its descriptor did not.
        Malformed: it is longer than a message may be, has more than one descriptor, or nothing but one. It is gone, descriptors
            and all.
        OSError: the link has broken.
    """
    view = _room.view
    size, ancillary, flags, _ = link.recvmsg_into((view,), _ROOM, _RECEIVE_FLAGS)
    packet = bytes(view[:size])
    if size > _SHORT:
        view[:size] = bytes(size)  # it has the head of a request, perhaps with a password, and may be the last one for long
    if not flags & _LESS and size:
        if not ancillary:
            return packet, None
        if len(ancillary) == 1:  # nearly always, where there is any
            level, kind, data = ancillary[0]
            if len(data) == _DESCRIPTOR and level == _SOL_SOCKET and kind == _SCM_RIGHTS:
                return packet, int.from_bytes(data, sys.byteorder)
    return _unusual(packet, ancillary, flags)


def _unusual(packet: bytes, ancillary: list[tuple[int, int, bytes]], flags: int) -> tuple[bytes, int | None]:
    size = len(packet)
    descriptors: list[int] = []
    for level, kind, data in ancillary:
        if level == _SOL_SOCKET and kind == _SCM_RIGHTS:
            descriptors += array.array("i", data[: len(data) - len(data) % _DESCRIPTOR])
    if flags & _CUT or len(descriptors) > 1 or (descriptors and not size):
        for descriptor in descriptors:
            discard(descriptor)
        longer = "more than " if flags & _CUT else ""
        raise Malformed(f"a packet of {longer}{size} bytes with {len(descriptors)} descriptors")
    if flags & _TRUNCATED and not descriptors:
        raise DescriptorsLost(f"a packet of {len(packet)} bytes lost its descriptor")
    return packet, descriptors[0] if descriptors else None


def empty(link: socket.socket) -> None:
    """Take out what lies in a link that is about to be closed, and let nothing more come in. Never waits (see `strangers`)."""
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RD)
    for _ in range(_MOST_QUEUED):
        try:
            packet, descriptor = receive(link)
        except (Malformed, DescriptorsLost, ConnectionResetError, InterruptedError):
            continue
        except OSError:
            return
        if descriptor is not None:
            discard(descriptor)
        if not packet:
            return
