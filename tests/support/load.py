"""Clients that ask without pause from several threads, and count what goes wrong."""

import http.client
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

__all__ = ["Load"]


@dataclass
class Load:
    """Half of the clients keep their connection, half open one for each request; none of them ever retries."""

    host: str
    port: int
    path: str
    clients: int = 6
    method: str = "GET"
    answered: int = 0
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._end = threading.Event()
        self._count = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(number % 2 == 0,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self, keep: bool) -> None:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        connection.auto_open = 0  # a lost connection is a failure here, never opened again in silence
        connection.connect()
        while not self._end.is_set():
            try:
                connection.request(self.method, self.path, headers={} if keep else {"Connection": "close"})
                answer = connection.getresponse()
                answer.read()
                problem = None if answer.status == 200 else f"status {answer.status}"
                closed = not keep or answer.will_close  # a server may say that it closes; it may not just do it
            except (OSError, http.client.HTTPException) as error:
                problem, closed = f"{'kept' if keep else 'fresh'}: {error!r}", True
            with self._count:
                if problem is None:
                    self.answered += 1
                else:
                    self.failures.append(problem)
            if closed:
                connection.close()
                try:
                    connection.connect()
                except OSError as error:
                    with self._count:
                        self.failures.append(f"connect: {error!r}")
                    return
