"""Requests of tus to one of several hosts that share a bucket."""

import base64
from typing import Any

from uploadsvc.s3.record import Handle

__all__ = ["LARGE", "MIB", "begin", "create", "handle", "offset", "patch"]

MIB = 1 << 10
"""All sizes are a thousandth of what they are elsewhere, those of parts too, as time is short."""
LARGE = bytes(range(256)) * 4 * 21  # 21 "MiB": two parts of 8 and 5 more
TYPE = "application/offset+octet-stream"


def create(service: Any, length: int, name: str = "x", **more: str) -> str:
    named = "filename " + base64.b64encode(name.encode()).decode()
    given = {"Tus_Resumable": "1.0.0", "Upload_Length": str(length), "Upload_Metadata": named, **more}
    status, headers, _ = service.connect().ask("POST", "/uploads/", b"", **given)
    assert status == 201
    where: str = headers["location"]
    return where


def patch(service: Any, where: str, offset: int, body: bytes, **more: str) -> int:
    given = {"Tus_Resumable": "1.0.0", "Upload_Offset": str(offset), "Content_Type": TYPE, **more}
    status: int = service.connect().ask("PATCH", where, body, **given)[0]
    return status


def offset(service: Any, where: str) -> int:
    status, headers, _ = service.connect().ask("HEAD", where, Tus_Resumable="1.0.0")
    assert status == 200
    return int(headers["upload-offset"])


def begin(service: Any, where: str, at: int, length: int, body: bytes) -> Any:
    """A PATCH that hangs."""
    connection = service.connect()
    connection.send(
        f"PATCH {where} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: {TYPE}\r\n"
        f"Upload-Offset: {at}\r\nContent-Length: {length}\r\n\r\n".encode()
        + body
    )
    return connection


def handle(service: Any, where: str) -> Handle:
    return Handle.read(service.site.intake.store.bucket, where.rpartition("/")[2])
