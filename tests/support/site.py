"""A running Portico, whichever way it was brought up: where it answers, and who may log in."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .raw import RawConnection

__all__ = ["ROOT", "Site", "first_password", "free_port", "json_lines", "wait_for_answer", "wait_for_listener"]

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder."""


@dataclass(frozen=True)
class Site:
    """What a user knows of it: one address, and the password that stood once in the log."""

    host: str
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    def connect(self, timeout: float = 15.0) -> RawConnection:
        return RawConnection(self.host, self.port, timeout)

    def http(self, timeout: float = 60.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def json_lines(text: str) -> Iterable[dict[str, object]]:
    """The events of a log; lines that are no JSON objects are somebody else's."""
    for line in text.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def first_password(log: str) -> str:
    """The password of `admin`, from the one line of the log that tells it."""
    found = [event["password"] for event in json_lines(log) if event.get("user") == "admin" and "password" in event]
    assert len(found) == 1, f"expected one line with admin's password, found {len(found)}:\n{log[-3000:]}"
    return str(found[0])


def wait_for_answer(host: str, port: int, seconds: float = 30.0) -> None:
    """Until `GET /` is answered with 200.

    Raises:
        TimeoutError: it was not.
    """
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            with RawConnection(host, port, 5) as connection:
                last = connection.get("/", Connection="close").status
            if last == 200:
                return
        except OSError as error:
            last = error
        time.sleep(0.05)
    raise TimeoutError(f"GET / on {host}:{port} was not answered with 200 within {seconds} s, last: {last}")


def wait_for_listener(host: str, port: int, seconds: float = 15.0) -> None:
    """Until somebody accepts connections, whatever the answers will be.

    Raises:
        TimeoutError: nobody did.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection((host, port), 5):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on {host}:{port} after {seconds} s")
