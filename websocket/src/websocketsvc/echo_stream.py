"""A stream protocol that knows nothing of WebSockets: what txWS wraps."""

from twisted.internet.protocol import Factory, Protocol

__all__ = ["Echo", "EchoFactory"]


class Echo(Protocol):
    """Sends back what it gets (RFC 862)."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class EchoFactory(Factory):
    protocol = Echo
    noisy = False
