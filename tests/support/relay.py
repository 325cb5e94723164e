"""What stands in front of a router that takes PROXY headers: it says who the client is, and then only passes bytes on.

It speaks version 2 (HAProxy's specification, section 2.2), and says of each client the same address, one of those that are for
documentation (RFC 5737).
"""

import contextlib
import socket
import struct
import threading

from .listening import Listening

__all__ = ["CLIENT", "Relay"]

CLIENT = "203.0.113.7"
"""The address that each client has."""
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_PROXY_TCP4 = b"\x21\x11"
_PIECE = 262_144


def header(client: tuple[str, int], listener: tuple[str, int]) -> bytes:
    """The header for a connection from `client` to `listener`, both IPv4."""
    addresses = socket.inet_aton(client[0]) + socket.inet_aton(listener[0]) + struct.pack("!HH", client[1], listener[1])
    return _SIGNATURE + _PROXY_TCP4 + struct.pack("!H", len(addresses)) + addresses


class Relay(Listening):
    """Listens on a port of its own, in front of the router's `target` on this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        super().__init__()

    def _serve(self, client: socket.socket, port: int) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target), 10) as router:
            router.settimeout(None)
            for sock in (client, router):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            router.sendall(header((CLIENT, port), ("127.0.0.1", self.port)))
            up = threading.Thread(target=_pass_on, args=(client, router), daemon=True)
            up.start()
            _pass_on(router, client)
            up.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Bytes, and then the end: that of one direction as such, a reset as the end of both.

    A sink that takes no more may have said why before: that is the other direction's to pass on, and to end.
    """
    try:
        while piece := source.recv(_PIECE):
            try:
                sink.sendall(piece)
            except OSError:
                return
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
