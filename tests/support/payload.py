"""Large bodies without large memory: a repeated random block, its digest, and a sender and a receiver that count."""

import hashlib
import http.client
import os
from collections.abc import Iterator

__all__ = ["MIB", "WISH", "Payload", "digest_of_rest"]

MIB = 1024 * 1024
WISH = {"Want-Repr-Digest": "sha-256=1"}
"""The header that asks for the SHA-256 of what is uploaded."""
_BLOCK = os.urandom(MIB - 1)  # odd in size, so that no boundary of a buffer falls together with one of the block


class Payload:
    """`size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        digest = hashlib.sha256()
        for piece in self:
            digest.update(piece)
        self.sha256 = digest.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        left = self.size
        while left:
            piece = _BLOCK[:left]
            left -= len(piece)
            yield piece

    def put(self, connection: http.client.HTTPConnection, path: str, authorization: str) -> http.client.HTTPResponse:
        """Upload it piece by piece, with the header `Authorization`; the response, which has its SHA-256."""
        connection.putrequest("PUT", path)
        connection.putheader("Authorization", authorization)
        connection.putheader("Content-Length", str(self.size))
        for name, value in WISH.items():
            connection.putheader(name, value)
        connection.endheaders()
        for piece in self:
            connection.send(piece)
        return connection.getresponse()


def digest_of_rest(response: http.client.HTTPResponse, begun: bytes = b"") -> tuple[int, str]:
    """Read a response to its end: size and SHA-256, with `begun` counted as read before."""
    digest, size = hashlib.sha256(begun), len(begun)
    while piece := response.read(MIB):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()
