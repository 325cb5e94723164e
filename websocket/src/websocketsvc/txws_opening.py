"""How txWS answers an opening request that was found right: its own 101 and accept key, for version 13 alone."""

import txws

__all__ = ["Opening"]


class Opening(txws.WebSocketProtocol):
    """Before the first frame."""

    subprotocol: str | None = None
    headers: dict[str, str]

    def validateHeaders(self) -> bool:
        """What txWS does for version 13; it would log a line for each connection, and take a subprotocol for a codec."""
        self.host = self.headers["Host"]
        self.origin = self.headers.get("Origin", "")
        self.sendHyBi07Preamble()
        self.flavor, self.state = txws.RFC6455, txws.FRAMES
        return True

    def sendCommonPreamble(self) -> None:
        lines = ["HTTP/1.1 101 Switching Protocols\r\n", "Upgrade: websocket\r\n", "Connection: Upgrade\r\n"]
        if self.subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {self.subprotocol}\r\n")
        self.writeEncodedSequence(lines)
