"""In which kind of frame the bytes of a wrapped protocol go out.

With `setBinaryMode(True)`, str as text and bytes as binary, and text arrives as str. Otherwise as the client talks: as text if
its last message was text and the bytes are valid UTF-8, else as binary. Where the option `frames` says `text` or `binary`, all
is of that kind in both directions.
"""

import codecs
from typing import Literal

from .events import BINARY, TEXT, Message, encode

__all__ = ["Framing"]


class Framing:
    """Of one connection."""

    def __init__(self, kind: Literal["any", "text", "binary"]) -> None:
        """`kind` is what the option `frames` says."""
        self.kind = kind
        self._text = False
        self._decoder = codecs.getincrementaldecoder("utf-8")() if kind == "text" else None

    def heard(self, message: Message) -> bool:
        """Follow what the client says; False if it may not talk so."""
        if self.kind != "any" and (self.kind == "text") != message.text:
            return False
        self._text = message.text
        return True

    def framed(self, data: bytes | str, binary_mode: bool) -> bytes | None:
        """The frame, or None where there is nothing to send yet.

        Raises:
            UnicodeDecodeError: text is spoken, and this is no UTF-8.
        """
        if self._decoder is not None:
            # a stream's writes may end within a character: its rest waits for the next one
            text = data if isinstance(data, str) else self._decoder.decode(data)
            return encode(TEXT, text.encode("utf-8")) if text or not data else None
        if isinstance(data, str):
            return encode(TEXT, data.encode("utf-8"))
        if self.kind == "binary" or binary_mode or not self._text:
            return encode(BINARY, data)
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return encode(BINARY, data)
        return encode(TEXT, data)
