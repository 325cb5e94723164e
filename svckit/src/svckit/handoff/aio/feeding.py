"""Bytes for a server's protocol, of both kinds that asyncio has, as the event loop would give them."""

import asyncio
from typing import cast

__all__ = ["feed", "streaming"]


def streaming(protocol: asyncio.BaseProtocol) -> asyncio.Protocol:
    """Every server's protocol hears of an end as a streaming one does."""
    return cast(asyncio.Protocol, protocol)


def feed(protocol: asyncio.BaseProtocol, data: bytes) -> None:
    """Give it all of `data`."""
    if isinstance(protocol, asyncio.BufferedProtocol):
        while data:
            buffer = memoryview(protocol.get_buffer(len(data)))
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            protocol.buffer_updated(count)
            data = data[count:]
    else:
        streaming(protocol).data_received(data)
