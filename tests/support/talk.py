"""WebSockets on which messages go to and fro without pause, and a count of those that were cut."""

import threading
from types import TracebackType
from typing import Self

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

__all__ = ["Talk"]


class Talk:
    """So many clients of an echo; a message that does not come back, or comes back wrong, is a failure."""

    def __init__(self, url: str, clients: int = 4, pause: float = 0.01) -> None:
        self._url, self._clients, self._pause = url, clients, pause
        self.echoed = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._end = threading.Event()
        self._count = threading.Lock()
        began = threading.Barrier(self._clients + 1)
        self._threads = [threading.Thread(target=self._talk, args=(number, began)) for number in range(self._clients)]
        for thread in self._threads:
            thread.start()
        began.wait(30)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _talk(self, number: int, began: threading.Barrier) -> None:
        said = 0
        try:
            with connect(self._url, open_timeout=20, close_timeout=5) as websocket:
                began.wait(30)
                while not self._end.wait(self._pause):
                    said += 1
                    websocket.send(f"{number} says {said}")
                    heard = websocket.recv(timeout=20)
                    assert heard == f"{number} says {said}", heard
                    with self._count:
                        self.echoed += 1
        except (OSError, WebSocketException, AssertionError, threading.BrokenBarrierError) as error:
            began.abort()
            with self._count:
                self.failures.append(f"websocket {number} after {said} messages: {error!r}")
