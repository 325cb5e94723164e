"""permessage-deflate (RFC 7692) by Autobahn, with bounded memory.

Neither side keeps its window from one message to the next (`server_no_context_takeover`, `client_no_context_takeover`: a server
may ask for both, whatever was offered). So a connection costs the 300 KiB of a compressor and the 44 KiB of a decompressor only
while a message is being packed or unpacked, and nothing in between; Autobahn would keep both until the next message.

A message that unpacks to more than `max_message` bytes is given up when it reaches that, however small it came: 1009.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from autobahn.websocket.compress import PerMessageDeflate, PerMessageDeflateOffer, PerMessageDeflateOfferAccept

__all__ = ["WORTH_PACKING", "Frugal", "accept", "understood"]

Extension = tuple[str, dict[str, list[Any]]]
"""Its name, and its parameters as Autobahn has read them: text, or True where there is no value."""

WORTH_PACKING = 256
"""Bytes from which on a message is packed: a small one hardly shrinks, and setting up a compressor takes its time."""


def accept(offers: Iterable[Any]) -> PerMessageDeflateOfferAccept | None:
    """The first offer of permessage-deflate, for Autobahn's `perMessageCompressionAccept`."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            accepted = PerMessageDeflateOfferAccept(
                offer, no_context_takeover=True, window_bits=offer.request_max_window_bits or None
            )
            accepted.request_no_context_takeover = True  # its own check wants it offered; section 7.1.1.2 does not
            return accepted
    return None


def understood(extensions: Iterable[Extension]) -> list[Extension]:
    """Those offers of permessage-deflate that can be accepted. Others are to be declined (RFC 7692 section 7.1), where Autobahn
    would refuse the connection; of extensions that it should not speak, too."""
    found = []
    for name, parameters in extensions:
        if parameters.get("client_max_window_bits") == ["8"]:  # zlib has no such window, but that is the client's to keep
            parameters = {**parameters, "client_max_window_bits": [True]}
        with suppress(Exception):  # it raises just that
            if name == PerMessageDeflateOffer.EXTENSION_NAME:
                PerMessageDeflateOffer.parse(parameters)
                found.append((name, parameters))
    return found


class Frugal(PerMessageDeflate):
    """Lets go of compressor and decompressor with the end of each message."""

    @classmethod
    def like(cls, made: PerMessageDeflate) -> "Frugal":
        """One that was negotiated as `made` was."""
        return cls(
            made._is_server,
            made.server_no_context_takeover,
            made.client_no_context_takeover,
            made.server_max_window_bits,
            made.client_max_window_bits,
            made.mem_level,
            made.max_message_size,
        )

    def end_compress_message(self) -> Any:
        packed = super().end_compress_message()
        self._compressor = None
        return packed

    def decompress_message_data(self, data: bytes, max_output_len: int | None = None) -> Any:
        """One byte more than may be, so that Autobahn, which counts what comes out, sees what is too much.

        It looks for input that is left, too; but zlib, stopped at a limit, may have taken all and hold back what comes of it.
        """
        return super().decompress_message_data(data, None if max_output_len is None else max_output_len + 1)

    def end_decompress_message(self) -> None:
        super().end_decompress_message()
        self._decompressor = None
