"""The three ways in, as a client takes them that goes on where it was cut: no library, so that every byte is seen."""

import base64
import http.client
from collections.abc import Callable
from pathlib import Path

__all__ = ["WAYS", "Broken", "form", "put", "tus"]

PIECE = 256 * 1024
_TYPE = "application/offset+octet-stream"
_BOUNDARY = "----uploads"


class Broken(Exception):
    """The connection broke, or the answer was another than success."""


def _send(port: int, method: str, path: str, head: dict[str, str], *parts: "bytes | tuple[Path, int]") -> dict[str, str]:
    """One request whose body is bytes and ends of files; the headers of the answer, with its status under `status`.

    Raises:
        Broken: there was no answer.
    """
    length = sum(len(part) if isinstance(part, bytes) else part[0].stat().st_size - part[1] for part in parts)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.putrequest(method, path)
        for name, value in {**head, "Content-Length": str(length)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            for part in parts:
                _send_part(connection, part)
        except ConnectionError:
            pass  # it may have been refused, and say so
        response = connection.getresponse()
        response.read()
        return {"status": str(response.status), **{name.lower(): value for name, value in response.getheaders()}}
    except (OSError, http.client.HTTPException) as error:
        raise Broken(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()


def _send_part(connection: http.client.HTTPConnection, part: "bytes | tuple[Path, int]") -> None:
    if isinstance(part, bytes):
        connection.send(part)
        return
    with part[0].open("rb") as file:
        connection.sock.sendfile(file, part[1])


def _expect(answer: dict[str, str], *statuses: str) -> dict[str, str]:
    if answer["status"] not in statuses:
        raise Broken(f"{answer['status']}, not {' or '.join(statuses)}")
    return answer


def put(port: int, source: Path, name: str, state: dict[str, str]) -> None:
    """A raw PUT; there is nothing to go on with."""
    _expect(_send(port, "PUT", f"/uploads/{name}", {}, (source, 0)), "200", "201")


def form(port: int, source: Path, name: str, state: dict[str, str]) -> None:
    """An HTML form with one file and one field."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n--{_BOUNDARY}\r\n'
    head += f'Content-Disposition: form-data; name="f"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    body = (head.encode(), (source, 0), f"\r\n--{_BOUNDARY}--\r\n".encode())
    _expect(_send(port, "POST", "/uploads/", kind, *body), "201")


def tus(port: int, source: Path, name: str, state: dict[str, str]) -> None:
    """A resumable upload in one PATCH; goes on with what `state` says, and puts there what is to be gone on with."""
    version = {"Tus-Resumable": "1.0.0"}
    if "url" not in state:
        named = f"filename {base64.b64encode(name.encode()).decode()}"
        made = {**version, "Upload-Length": str(source.stat().st_size), "Upload-Metadata": named}
        state["url"] = _expect(_send(port, "POST", "/uploads/", made), "201")["location"]
    offset = _expect(_send(port, "HEAD", state["url"], version), "200")["upload-offset"]
    state["resumed"] = offset
    if int(offset) < source.stat().st_size:
        head = {**version, "Upload-Offset": offset, "Content-Type": _TYPE}
        _expect(_send(port, "PATCH", state["url"], head, (source, int(offset))), "204")


WAYS: dict[str, Callable[[int, Path, str, dict[str, str]], None]] = {"put": put, "form": form, "tus": tus}
