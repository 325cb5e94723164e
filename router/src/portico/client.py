"""Ask a running router's operators' port."""

import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from .config import BadConfig, admin_address

__all__ = ["fetch"]

TIMEOUT = 3.0
"""Seconds for each part of the answer."""


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def fetch(
    admin: str, path: str, method: str = "GET", body: bytes | None = None, content_type: str | None = None
) -> tuple[int, bytes]:
    """Status and body; status 0 with the reason where there is no answer.

    Raises:
        BadConfig: `admin` is not an address.
    """
    try:
        where = admin_address(admin)
    except ValueError as error:
        raise BadConfig(f"--admin: {error}") from None
    connection = _UnixConnection(where, TIMEOUT) if isinstance(where, Path) else HTTPConnection(*where, timeout=TIMEOUT)
    try:
        connection.request(method, path, body, {} if content_type is None else {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException) as error:
        return 0, f"no answer from {admin}: {error}".encode()
    finally:
        connection.close()
