"""The revocation cell: how a replica that was asleep learns that connections in its queue are no longer its own.

A router that waits too long for TAKEN gives up the link and sends the connections elsewhere. But they still lie in the
replica's queue. When it wakes up it says TAKEN, fails (the link is shut), and must know why: is the router dead, and nobody
else has these connections, or did the router take them back? The cell tells: one byte in a memfd that both sides hold, set
by the router before it shuts the link, and still there when the router itself has died since.
"""

import os

__all__ = ["Cell", "is_revoked"]


class Cell:
    """The router's side."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("portico-revocation", os.MFD_CLOEXEC)
        os.write(self.descriptor, b"\0")

    def revoke(self) -> None:
        """Everything on this link that is not taken belongs to the router again."""
        os.pwrite(self.descriptor, b"\1", 0)

    def close(self) -> None:
        """Let go of the descriptor; the replica's copy lives on."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def is_revoked(descriptor: int) -> bool:
    """The replica's side: whether the router has taken back what this link had not taken."""
    return os.pread(descriptor, 1, 0) == b"\1"
