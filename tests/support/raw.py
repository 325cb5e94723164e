"""HTTP by hand on one connection: what a client library would tidy up, reorder or retry, a test must be able to do."""

import io
import socket
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .tls import TlsStream

__all__ = ["RawConnection", "Response"]


@dataclass(frozen=True)
class Response:
    """One response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawConnection:
    """One connection, by TCP or TLS, responses read one by one and never more than was sent."""

    def __init__(self, host: str, port: int, timeout: float = 15.0, context: ssl.SSLContext | None = None) -> None:
        """`context`: speak TLS.

        Raises:
            OSError: there is no connection; an ssl.SSLError where TLS failed.
        """
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tls = None if context is None else TlsStream(self.socket, context, host)
        self._stream = self.socket.makefile("rb") if self._tls is None else io.BufferedReader(self._tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        (self._tls or self.socket).sendall(data)

    def end_sending(self) -> None:
        """Send nothing more, and go on reading."""
        if self._tls is None:
            self.socket.shutdown(socket.SHUT_WR)
        else:
            self._tls.end_sending()

    def get(self, path: str, **headers: str) -> Response:
        """Ask and wait for the answer."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.send(f"GET {path} HTTP/1.1\r\nHost: portico.test\r\n{lines}\r\n".encode())
        return self.response()

    def response(self) -> Response:
        """The next response.

        Raises:
            ConnectionError: the connection ended before a whole one was there.
        """
        status = self._line().split(b" ")
        assert status[0] == b"HTTP/1.1", status
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return Response(int(status[1]), headers, self._body(int(status[1]), headers))

    def ends(self) -> bool:
        """Wait for the peer to close; False if it says something more instead."""
        try:
            return self._stream.read(1) == b""
        except ConnectionResetError:
            return True

    def _line(self) -> bytes:
        line = self._stream.readline(65536)
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"the connection ended after {line!r}")
        return line[:-2]

    def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status < 200 or status in (204, 304):
            return b""
        if headers.get("transfer-encoding") == "chunked":
            parts = []
            while size := int(self._line(), 16):
                parts.append(self._exactly(size))
                self._line()
            self._line()
            return b"".join(parts)
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        return self._stream.read()

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise ConnectionError(f"the connection ended {size - len(data)} bytes early")
        return data
