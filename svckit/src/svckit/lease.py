"""Under which terms a service holds a connection: what it may answer on it, and where the connection goes back to.

Whoever puts a connection through to a service (the replica side of the handoff, or the in-process target) makes a lease for
it. A protocol that can share its connection with other services, as HTTP with keep-alive can, provides `ILeased`: it is
given the lease before `makeConnection`, asks `owns` for every request after the first, and gives the connection back when
the answer is no. The first request is never asked about: the router has just decided on it.
"""

from typing import Protocol as Interface_

from zope.interface import Attribute, Interface

from .ownership import Ownership

__all__ = ["HandBack", "IDrainable", "ILeased", "Lease", "Ownership"]


class HandBack(Interface_):
    """Takes a connection back from the service, with the bytes that were read and not answered."""

    def __call__(self, unread: bytes, /) -> None: ...


class Lease:
    """The terms for one connection."""

    __slots__ = ("_hand_back", "ownership")

    def __init__(self, ownership: Ownership, hand_back: HandBack | None) -> None:
        self.ownership = ownership
        self._hand_back = hand_back

    @property
    def returnable(self) -> bool:
        """Whether somebody would take the connection back."""
        return self._hand_back is not None

    def hand_back(self, unread: bytes) -> None:
        """Give the connection back as soon as everything written to it is out.

        The protocol gets `connectionLost(HandedBack)` at that moment and must not write any more before.
        """
        assert self._hand_back is not None
        self._hand_back(unread)


class ILeased(Interface):
    """A protocol that wants to know the lease of its connection."""

    lease = Attribute("The `Lease`; set before `makeConnection`. None for a connection that came to a port of its own.")


class IDrainable(Interface):
    """A protocol that can end its connection in good order when its service drains."""

    def drain() -> None:
        """Start no new work. End or give back the connection as soon as what is under way is done, idle ones at once."""

    def expire() -> None:
        """The drain time is up: say goodbye in the protocol's own terms (a WebSocket: close with 1001) and close."""
