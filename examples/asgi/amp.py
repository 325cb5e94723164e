"""As much of AMP as it takes to ask Portico's auth service from asyncio (its commands: `svckit.auth.commands`).

A box is a list of (length u16, key, length u16, value), ended by two zero bytes.
"""

import asyncio
import contextlib
import itertools
import struct
from pathlib import Path

__all__ = ["AmpError", "Connection", "Unavailable"]

Box = dict[bytes, bytes]


class Unavailable(Exception):
    """The other side went, or was never there."""


class AmpError(Exception):
    """The other side says no; the text is the code of its error, `about` what it says of it."""

    def __init__(self, code: str, about: str = "") -> None:
        super().__init__(code)
        self.about = about


class Connection:
    """One connection; many questions may be under way on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._tags = itertools.count(1)
        self._asked: dict[bytes, asyncio.Future[Box]] = {}
        self._reading = asyncio.create_task(self._read(reader))

    @classmethod
    async def to(cls, path: Path) -> "Connection":
        """Raises: OSError: nobody listens there."""
        return cls(*await asyncio.open_unix_connection(path))

    @property
    def lost(self) -> bool:
        return self._reading.done()

    async def ask(self, command: bytes, **arguments: bytes) -> Box:
        """The answer.

        Raises:
            AmpError: the command failed.
            Unavailable: the connection was lost.
        """
        if self.lost:
            raise Unavailable
        tag = b"%x" % next(self._tags)
        answer = self._asked[tag] = asyncio.get_running_loop().create_future()
        box = {b"_ask": tag, b"_command": command, **{name.encode(): value for name, value in arguments.items()}}
        self._writer.write(b"".join(struct.pack(">H", len(each)) + each for pair in box.items() for each in pair) + b"\0\0")
        try:
            return await answer
        finally:
            self._asked.pop(tag, None)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                box = await _read_box(reader)
                answer = self._asked.get(box.get(b"_answer") or box.get(b"_error") or b"")
                if answer is None or answer.done():
                    continue
                if b"_error" in box:
                    answer.set_exception(AmpError(box[b"_error_code"].decode(), box.get(b"_error_description", b"").decode()))
                else:
                    answer.set_result(box)
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Unavailable())
        self._writer.close()


async def _read_box(reader: asyncio.StreamReader) -> Box:
    box: Box = {}
    while size := int.from_bytes(await reader.readexactly(2), "big"):
        key = await reader.readexactly(size)
        box[key] = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    return box
