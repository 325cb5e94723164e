"""Ask a running router's operators' port."""

from http.client import HTTPConnection, HTTPException

from .config import BadConfig, address

__all__ = ["fetch"]

TIMEOUT = 3.0
"""Seconds for the whole answer."""


def fetch(
    admin: str, path: str, method: str = "GET", body: bytes | None = None, content_type: str | None = None
) -> tuple[int, bytes]:
    """Status and body; status 0 with the reason where there is no answer.

    Raises:
        BadConfig: `admin` is not an address.
    """
    try:
        host, port = address(admin)
    except ValueError as error:
        raise BadConfig(f"--admin: {error}") from None
    connection = HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request(method, path, body, {} if content_type is None else {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException) as error:
        return 0, f"no answer from {admin}: {error}".encode()
    finally:
        connection.close()
