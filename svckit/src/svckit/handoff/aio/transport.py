"""The transport that a server's protocol sees: its client is the true one, and what it writes is followed."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from .accepted import Accepted

__all__ = ["SharedTransport"]


class Owner(Protocol):
    """Who shares the connection out; `SharedHttp`."""

    def wrote(self, data: Any) -> None: ...
    def paused_by_server(self, paused: bool) -> None: ...
    def changed_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...
    def current_protocol(self) -> asyncio.BaseProtocol: ...


class SharedTransport(asyncio.Transport):
    """An asyncio transport around another.

    `detached` by its owner, it is closed for the server, and the connection lives on.
    """

    def __init__(self, real: asyncio.Transport, owner: Owner, accepted: Accepted) -> None:
        facts: dict[str, Any] = {"peername": accepted.client, "sockname": accepted.listener, "socket": None}
        if accepted.tls is not None:
            # whoever asks wants to know whether there is TLS, and finds no cipher or certificate: the router has ended it
            facts["sslcontext"] = accepted.tls
        super().__init__(facts)
        self._real, self._owner = real, owner
        self._reading = True
        self.detached = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Client and listener are those that the router names: for TLS the socket itself would name nobody."""
        found = super().get_extra_info(name, default)
        return default if found is None else found

    @property
    def _sendfile_compatible(self) -> Any:
        """What `loop.sendfile` asks: bytes that go past us could not be followed. aiohttp reads and writes instead."""
        raise NotImplementedError("the bytes that are written are followed")

    # -- writing

    def write(self, data: Any) -> None:
        if not self.detached:
            self._real.write(data)
            self._owner.wrote(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        if not self.detached:
            self._real.write_eof()

    def can_write_eof(self) -> bool:
        return self._real.can_write_eof()

    def get_write_buffer_size(self) -> int:
        return 0 if self.detached else self._real.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._real.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if not self.detached:
            self._real.set_write_buffer_limits(high, low)

    # -- reading

    def is_reading(self) -> bool:
        return self._reading and not self.is_closing()

    def pause_reading(self) -> None:
        self._reading = False
        self._owner.paused_by_server(True)

    def resume_reading(self) -> None:
        self._reading = True
        self._owner.paused_by_server(False)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._owner.changed_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._owner.current_protocol()

    # -- the end

    def is_closing(self) -> bool:
        return self.detached or self._real.is_closing()

    def close(self) -> None:
        self._end(self._real.close)

    def abort(self) -> None:
        self._end(self._real.abort)

    def _end(self, how: Callable[[], None]) -> None:
        if not self.detached:
            how()
