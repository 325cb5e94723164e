"""A client that speaks tus to a site in memory."""

import base64
from typing import Any

import pytest

__all__ = ["BODY", "BOTH", "TYPE", "Client", "final", "finals", "metadata", "part", "patch_head"]

BODY = bytes(range(256)) * 40
TYPE = "application/offset+octet-stream"
BOTH = pytest.mark.parametrize("service", ["folder", "bucket"], indirect=True)
"""Over each kind of store."""


def metadata(**values: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


class Client:
    """Speaks tus on one connection."""

    def __init__(self, service: Any) -> None:
        self.connection = service.connect()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: object) -> Any:
        given = {"Tus_Resumable": "1.0.0", **headers}
        return self.connection.ask(method, path, body, **{k: str(v) for k, v in given.items() if v is not None})

    def create(self, length: int | None = len(BODY), name: str | None = "x", **headers: object) -> str:
        named = {} if name is None else {"Upload_Metadata": metadata(filename=name)}
        size = {"Upload_Defer_Length": 1} if length is None else {"Upload_Length": length}
        status, found, _ = self.ask("POST", "/uploads/", b"", **size, **named, **headers)
        assert status == 201 and found["tus-resumable"] == "1.0.0"
        location: str = found["location"]
        return location

    def patch(self, path: str, offset: int, body: bytes, **headers: object) -> Any:
        return self.ask("PATCH", path, body, **{"Upload_Offset": offset, "Content_Type": TYPE, **headers})

    def offset(self, path: str) -> int:
        status, found, _ = self.ask("HEAD", path)
        assert status == 200 and found["cache-control"] == "no-store"
        return int(found["upload-offset"])


def patch_head(path: str, offset: int, length: int, more: str = "") -> bytes:
    return (
        f"PATCH {path} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: {TYPE}\r\n"
        f"Upload-Offset: {offset}\r\nContent-Length: {length}\r\n{more}\r\n"
    ).encode()


def finals(service: Any) -> dict[str, bytes]:
    return {name: data for name, data in service.files().items() if not name.startswith(".")}


def part(client: Client, data: bytes) -> str:
    where = client.create(len(data), None, Upload_Concat="partial")
    assert client.patch(where, 0, data)[0] == 204
    return where


def final(client: Client, *parts: str, **more: object) -> Any:
    named = {"Upload_Metadata": metadata(filename="whole")}
    return client.ask("POST", "/uploads/", b"", Upload_Concat="final;" + " ".join(parts), **named, **more)
