"""Ask a running router's operators' port."""

from http.client import HTTPConnection, HTTPException

from .config import BadConfig, address

__all__ = ["fetch"]

TIMEOUT = 3.0
"""Seconds for the whole answer."""


def fetch(admin: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body; status 0 with the reason where there is no answer. With `body`, which is JSON, it is sent by POST.

    Raises:
        BadConfig: `admin` is not an address.
    """
    try:
        host, port = address(admin)
    except ValueError as error:
        raise BadConfig(f"--admin: {error}") from None
    connection = HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException) as error:
        return 0, f"no answer from {admin}: {error}".encode()
    finally:
        connection.close()
