"""Autobahn over a transport in memory."""

from typing import ClassVar

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "TEXT", "Chat"]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Chat(WebSocketServerProtocol):
    """A user's protocol: writes down what it gets, and answers."""

    made: ClassVar[list["Chat"]] = []

    def onConnect(self, request: ConnectionRequest) -> str | None:
        self.made.append(self)
        self.got: list[tuple[bytes, bool]] = []
        self.closed: list[object] = []
        self.request = request
        return None

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.got.append((payload, isBinary))
        self.sendMessage(payload, isBinary)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        self.closed.append((wasClean, code))
