"""The revocation cell: how a peer that was asleep learns that connections in its queue are no longer its own.

A router that waits too long for TAKEN gives up the link and sends the connections elsewhere. But they still lie in the
replica's queue. When it wakes up it says TAKEN, fails (the link is shut), and must know why: is the router dead, and nobody
else has these connections, or did the router take them back? The cell tells: a memfd that both sides hold, of two bytes. The
first is set by the router before it shuts the link, the second by a replica that ends a link while it lives and keeps what the
router had not taken of its hand-backs. What is set stays, also when its writer has died since.
"""

import contextlib
import os

__all__ = ["Cell", "is_revoked", "withdraw"]

_BY_ROUTER, _BY_REPLICA = 0, 1


class Cell:
    """The router's side."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("portico-revocation", os.MFD_CLOEXEC)
        os.write(self.descriptor, b"\0\0")

    def revoke(self) -> None:
        """Everything on this link that is not taken belongs to the router again."""
        with contextlib.suppress(OSError):  # a replica that has made it unwritable fools nobody but itself
            os.pwrite(self.descriptor, b"\1", _BY_ROUTER)

    @property
    def is_withdrawn(self) -> bool:
        """Whether the replica has ended the link alive, and keeps what was not taken of its hand-backs."""
        return self.descriptor >= 0 and os.pread(self.descriptor, 1, _BY_REPLICA) == b"\1"

    def close(self) -> None:
        """Let go of the descriptor; the replica's copy lives on."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def is_revoked(descriptor: int) -> bool:
    """The replica's side: whether the router has taken back what this link had not taken."""
    return os.pread(descriptor, 1, _BY_ROUTER) == b"\1"


def withdraw(descriptor: int) -> None:
    """The replica's side: what the router has not taken of our hand-backs stays ours."""
    os.pwrite(descriptor, b"\1", _BY_REPLICA)
