"""Heads of requests and responses."""

from portico.core.response import ResponseHead, read_response


def response(*fields: bytes, status: int = 200, version: bytes = b"1.1") -> ResponseHead:
    head = read_response(b"HTTP/%b %d X\r\n%b\r\n" % (version, status, b"".join(line + b"\r\n" for line in fields)))
    assert head is not None
    return head
