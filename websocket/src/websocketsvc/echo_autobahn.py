"""A protocol as a user of Autobahn would write it."""

from autobahn.twisted.websocket import WebSocketServerProtocol

__all__ = ["AutobahnEcho"]


class AutobahnEcho(WebSocketServerProtocol):
    """Sends each message back, as text or binary as it came."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)
