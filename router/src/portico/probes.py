"""Peers that have vanished without a word: their host lost its power, or something on the way forgot the connection.

Nothing tells, as long as there is nothing to send. So the kernel asks whoever has been silent for long (TCP keepalive, RFC 9293
section 3.8.4), and where no answer comes it ends the connection as if the peer had broken it off. Accepted connections have
this from the listening socket, at no cost of ours, and take it along to the services that they are handed to.
"""

import socket
from _socket import socket as RawSocket

__all__ = ["PROBES", "PROBE_INTERVAL", "probe"]

PROBE_INTERVAL = 15
"""Seconds from a probe that is not answered to the next one."""
PROBES = 4
"""Probes that may stay unanswered; then the connection is ended."""


def probe(sock: RawSocket, after: int) -> None:
    """Have the peer of `sock`, or the peers of what it accepts, asked when it has been silent for `after` seconds."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, after)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_INTERVAL)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
