"""What the fixtures of this member give, as types."""

import socket
from collections.abc import Callable
from typing import Protocol

from svckit.settings import Settings
from websocketsvc.sharedhub import SharedHub

from . import wire
from .served import Served
from .txws_setup import Setup

__all__ = ["Dial", "Frame", "MakeChat", "MakeSettings", "MakeSetup", "Serve", "Shared", "StartHub", "Tools"]

MakeChat = Callable[..., wire.Client]
"""Called with a protocol of Autobahn's and AutobahnOptions."""
MakeSettings = Callable[..., Settings]
"""Called with the service's name and its options."""
MakeSetup = Callable[..., Setup]
"""Called with TxwsOptions."""
Serve = Callable[..., Served]
"""Called with the service's name and its options."""
Shared = Callable[[str], Served]
StartHub = Callable[..., SharedHub]
"""Called with RoomOptions."""


class Dial(Protocol):
    def __call__(self, served: Served, **options: int) -> socket.socket: ...


class Frame(Protocol):
    """See `wire.client_frame`."""

    def __call__(
        self, opcode: int, payload: bytes = b"", *, fin: bool = True, key: bytes | None = ..., rsv: int = 0
    ) -> bytes: ...


class Tools:
    """All of `wire`."""

    KEY, ACCEPT = wire.KEY, wire.ACCEPT
    Client = wire.Client
    Wire = wire.Wire
    client_frame = staticmethod(wire.client_frame)
    server_frames = staticmethod(wire.server_frames)
    opening = staticmethod(wire.opening)
