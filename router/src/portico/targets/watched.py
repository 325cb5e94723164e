"""A socket that is watched for what is wanted of it just now; a change costs a call to the kernel, so only changes are made."""

from ..arrival import RawSocket
from ..poller import READ, Callback, Poller

__all__ = ["Watched"]


class Watched:
    """Watched for READ at first."""

    __slots__ = ("_descriptor", "_poller", "wanted")

    def watch(self, sock: RawSocket, poller: Poller, callback: Callback) -> None:
        """Begin."""
        self._descriptor, self._poller = sock.fileno(), poller
        self.wanted = READ
        poller.add(self._descriptor, READ, callback)

    def watch_on(self, sock: RawSocket, poller: Poller, callback: Callback) -> None:
        """Begin with one that is watched already, and has rested (`Poller.rest`)."""
        self._descriptor, self._poller = sock.fileno(), poller
        self.wanted = READ
        poller.wake(self._descriptor, callback)

    def want(self, events: int) -> None:
        """Watch for exactly these events."""
        if events != self.wanted:
            self._poller.change(self._descriptor, self.wanted, events)
            self.wanted = events

    def unwatch(self) -> None:
        """Watch no more; the socket may live on."""
        self._poller.remove(self._descriptor, self.wanted)
