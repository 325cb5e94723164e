"""How many connections each client may have in this router: those beyond it are refused at once, and cheaply.

Nothing is waited for: not the rest of a head, nor for the client to read its answer. What has come decides whether it gets one
at all: the request line of HTTP gets 429, anything else is closed. A client that has sent more than was read, a body say, may
find a reset in place of its answer.

The client is the one that a PROXY header has named. A trusted sender that speaks for itself, to look whether we are alive, is
not counted.
"""

import contextlib
import re
import socket
from collections.abc import Callable

from .accesslog import AccessLog
from .arrival import Arrival
from .core.answers import TOO_MANY, TOO_MANY_CLOSED
from .places import Places

__all__ = ["ClientStage"]

_SEND_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

_is_http = re.compile(rb"(?:\r\n)?+[A-Za-z_-]++ [^\s]++ HTTP/").match


class ClientStage:
    """Lets a connection go on if its client may have one more."""

    def __init__(self, places: Places, access: AccessLog, go_on: Callable[[Arrival], None], plain: bool) -> None:
        """`plain`: there is no TLS to come, so HTTP can be answered."""
        self._places, self._access, self._go_on, self._plain = places, access, go_on, plain

    def accept(self, arrival: Arrival) -> None:
        """Count it, or refuse it."""
        if self._places.admit(arrival):
            self._go_on(arrival)
            return
        answer = TOO_MANY if self._plain and _is_http(arrival.preface) else TOO_MANY_CLOSED
        self._access.answered(arrival, answer)
        if answer.wire:
            with contextlib.suppress(OSError):
                arrival.sock.send(answer.wire, _SEND_FLAGS)
        arrival.close()
