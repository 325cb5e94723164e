"""What a client gets from the replica itself; the same answers as the Twisted services'."""

__all__ = ["BAD_REQUEST", "BAD_VERSION", "HEAD_TIMEOUT", "MISDIRECTED", "TOO_LARGE"]

_END = b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

MISDIRECTED = b"HTTP/1.1 421 Misdirected Request" + _END
BAD_REQUEST = b"HTTP/1.1 400 Bad Request" + _END
BAD_VERSION = b"HTTP/1.1 505 HTTP Version Not Supported" + _END
HEAD_TIMEOUT = b"HTTP/1.1 408 Request Timeout" + _END
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large" + _END
