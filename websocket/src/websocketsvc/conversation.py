"""What stands between the door, which opens a WebSocket, and the toolkit that speaks on it."""

from dataclasses import dataclass
from typing import Literal, Protocol

from twisted.internet.interfaces import IAddress, ITransport
from twisted.python.failure import Failure

from .handshake import Handshake

__all__ = ["Conversation", "ConversationFactory", "Ending"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a conversation ended, for the log."""

    code: int
    """The close code of whoever closed first; 1006 where nobody did (`codes.ABNORMAL`)."""
    by: Literal["client", "service", "network"]
    received: int
    """Messages from the client."""
    sent: int
    """Messages to the client."""


class Conversation(Protocol):
    """One WebSocket, from the moment that its handshake was found right; the methods as in Twisted's IProtocol."""

    def makeConnection(self, transport: ITransport) -> None: ...

    def begin(self, handshake: Handshake, rest: bytes) -> None:
        """Answer the handshake; `rest` are the bytes that came after it. Called once, right after makeConnection."""

    def dataReceived(self, data: bytes) -> None: ...

    def connectionLost(self, reason: Failure) -> None: ...

    def expire(self) -> None:
        """Close with 1001; the connection ends within the close timeout, whatever the client does."""

    def ending(self) -> Ending:
        """Called after connectionLost."""


class ConversationFactory(Protocol):
    """Makes conversations; the methods as in Twisted's IProtocolFactory."""

    def doStart(self) -> None: ...

    def doStop(self) -> None: ...

    def buildProtocol(self, addr: IAddress) -> Conversation | None: ...
