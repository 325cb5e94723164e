"""Requests on kept connections whose prefix changes, in an order of its own on each connection, each answer looked at.

wrk cannot do this: its script has one order for all connections, and which of them asks next is chance.
"""

import time
from collections.abc import Sequence

from .clients import connect, get, length
from .loop import Loop
from .replies import SERVICES, body, head_end
from .sample import Failed, Sample

__all__ = ["EACH", "TENTH", "exchanges"]

EACH = SERVICES
"""Another prefix at each request."""
TENTH = ("static",) * 9 + ("uploads",)
"""Another prefix at each tenth."""
_bodies = {service: body(service, 1024) for service in SERVICES}
_OK = b"HTTP/1.1 200 "


def _whole(data: bytes) -> bool:
    """Whether an answer is there to its end, as far as its head says where that is."""
    end = head_end(data)
    return bool(end) and len(data) - end >= (length(data[:end]) or 0)


class _Client:
    def __init__(self, loop: Loop, port: int, order: Sequence[str], at: int) -> None:
        self._loop, self._port, self._at = loop, port, at
        self._steps = [(get(f"/{service}/1k"), _bodies[service]) for service in order]
        self._data = b""
        self.done = self.wrong = self.broken = 0
        self._open()

    def _open(self) -> None:
        self._sock = connect(self._port)
        self._sock.setblocking(False)
        self._loop.add(self._sock.fileno(), self._ready)
        self._ask()

    def _ask(self) -> None:
        self._at = (self._at + 1) % len(self._steps)
        request, self._expected = self._steps[self._at]
        self._sock.send(request)

    def _ready(self, _: int) -> None:
        try:
            data = self._data + self._sock.recv(65_536)
            if data.endswith(self._expected) and data.startswith(_OK):
                self._data = b""
                self.done += 1
                self._ask()
            elif data == self._data:
                self._again()
            elif _whole(data):
                self.wrong += 1
                self._data = b""
                self._ask()
            else:
                self._data = data
        except BlockingIOError:
            return
        except OSError:
            self._again()

    def _again(self) -> None:
        """It has ended: a new one, as a browser would."""
        self.close()
        self._data, self.broken = b"", self.broken + 1
        if self.broken > 1000:
            raise Failed("connections end again and again")
        self._open()

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.remove(self._sock.fileno())
            self._sock.close()


def exchanges(port: int, order: Sequence[str], connections: int, seconds: float) -> Sample:
    """Each connection goes through `order` from a place of its own.

    Raises:
        Failed: the contender keeps no connection.
    """
    loop = Loop()
    clients: list[_Client] = []
    try:
        for at in range(connections):
            clients.append(_Client(loop, port, order, at))
        began = time.monotonic()
        loop.run(began + seconds)
        passed = time.monotonic() - began
    except (TimeoutError, OSError) as error:
        raise Failed(f"{error}") from None
    finally:
        for each in clients:
            each.close()
        loop.close()
    broken = sum(each.broken + (not (each.done or each.wrong)) for each in clients)  # one that had no answer at all is, too
    return Sample(sum(each.done for each in clients), passed, sum(each.wrong for each in clients), broken)
