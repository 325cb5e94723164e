"""A connection to a tcp server: what goes to the server, and whether what comes is read; `backend` follows that."""

from typing import TYPE_CHECKING

from ..arrival import RawSocket
from ..flow import Flow
from ..poller import READ, WRITE
from .connect import Replica
from .watched import Watched

if TYPE_CHECKING:
    from ..pipes import Pipes
    from .session import Session

__all__ = ["Requesting"]


class Requesting(Watched):
    """The part of a backend that sends, and ends."""

    __slots__ = (
        "began",
        "idle_since",
        "replica",
        "responding",
        "reused",
        "session",
        "sock",
        "up",
    )

    def __init__(self, sock: RawSocket, replica: Replica, pipes: "Pipes") -> None:
        self.sock, self.replica = sock, replica
        self.up = Flow(sock, pipes)
        self.session: Session | None = None
        self.idle_since = 0.0
        self.reused = False
        """It has served an exchange before, so the server may be about to close it."""
        self.began = False
        """A byte of the response has come."""
        self.responding = False
        """The response's head has gone to the client."""

    def begin(self, session: "Session", request: bytes) -> None:
        """Serve an exchange of `session`.

        Raises:
            SinkLost: the server takes nothing more; what it has said may still be read.
        """
        self.session = session
        self.began = self.responding = False
        if not self.up.send(request):
            self.want(READ | WRITE)

    def wait_for_server(self) -> None:
        """It is slow: tell the session when it has taken what is held. Whether its answer is read is the client's affair."""
        self.want(self.wanted | WRITE)

    def takes_no_more(self) -> None:
        """What it has said is read, as fast as the client takes it."""
        self.want(self.wanted & READ)

    def resume(self) -> None:
        """The client takes bytes again."""
        self.want(self.wanted | READ)

    def close(self) -> None:
        """End the connection."""
        self.detach()
        self.sock.close()

    def detach(self) -> None:
        """Let go of the socket, which lives on."""
        self.session = None
        self.unwatch()
        self.up.close()
