"""Introduce the client to a tcp server: the PROXY header that a connection to it begins with, where the service wants one."""

from typing import Literal

from ..arrival import Address, Arrival, RawSocket
from ..core.proxyprotocol import encode_v1, encode_v2

__all__ = ["Version", "introduction"]

Version = Literal["v1", "v2"]

_ANY = ("0.0.0.0", "::")  # noqa: S104  # nothing is bound here
_V4_IN_V6 = "::ffff:"
_encoders = {"v1": encode_v1, "v2": encode_v2}


def introduction(arrival: Arrival, version: Version | None) -> bytes:
    """The header: from the client's address, to the one that it connected to. Nothing where `version` is None."""
    if version is None:
        return b""
    return _encoders[version](arrival.client, _connected_to(arrival))


def _connected_to(arrival: Arrival) -> Address:
    """A listener on all addresses has the connection's own; inside of TLS that ended here only the port is known."""
    if arrival.listener[0] not in _ANY:
        return arrival.listener
    own = _own_address(arrival.sock)
    if isinstance(own, tuple):
        host = str(own[0])
        return (host[len(_V4_IN_V6) :] if host.startswith(_V4_IN_V6) and "." in host else host), int(own[1])
    return _ANY[":" in arrival.client[0]], arrival.listener[1]  # of the client's family, so that its address stays as it is


def _own_address(sock: RawSocket) -> object:
    """A tuple if it is a TCP socket. The router's socket objects do not know their family, so the kernel is asked."""
    try:
        same = RawSocket(fileno=sock.fileno())
    except OSError:
        return None
    try:
        return same.getsockname()
    except OSError:
        return None
    finally:
        same.detach()
