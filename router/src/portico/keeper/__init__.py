"""The keeper: holds the listening sockets, so that routers come and go without one refused connection.

A router does not bind its ports, it borrows them: it connects to the keeper's Unix socket (SOCK_SEQPACKET), asks for an
address, and gets the listening socket as a descriptor. Every router that asks for the same address gets the same socket, so all
of them accept from one queue, and what waits in it is anybody's. A router that ends, or dies, takes nothing with it.
SO_REUSEPORT could not do that: there each router has a queue of its own, and the kernel resets what is in it when the router
closes it or dies.

One message is one packet of text. A router stays connected for as long as it lives; its end is the end of the connection.

    listen HOST:PORT    answered with `ok` and the socket, or with `error NUMBER TEXT` (an errno and what it means)
    leave HOST:PORT     the router uses it no more; no answer
    seed                answered with `seed HEX`, the same 16 bytes for every router: see `portico.balancing`

A socket that no router uses is closed after a while (`--keep`): until then connections wait in the kernel's queue, as a router
is about to come back; after that the kernel refuses them, which is honest.

This folder runs by itself, too, on nothing but Python's standard library: `python -ISs keeper ADDRESS`.
"""

from .held import MESSAGE
from .keeper import KEEP, ROUTERS, SOCKETS, Keeper
from .names import Address, at_of, name_of, unix_name
from .sockets import DEFER_ACCEPT, listen

__all__ = [
    "DEFER_ACCEPT",
    "KEEP",
    "MESSAGE",
    "ROUTERS",
    "SOCKETS",
    "Address",
    "Keeper",
    "at_of",
    "listen",
    "name_of",
    "unix_name",
]
