"""A running Portico, whichever way it was brought up: where it answers, and who may log in."""

import contextlib
import http.client
import json
import random
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from websockets.sync.client import ClientConnection, connect

from .one_process import OneProcess
from .payload import MIB
from .raw import RawConnection
from .tls import TlsStream, plain_end
from .tree import ROOT

__all__ = [
    "ROOT",
    "Site",
    "first_password",
    "free_port",
    "json_lines",
    "wait_for_answer",
    "wait_for_file",
    "wait_for_listener",
]


@dataclass(frozen=True)
class Site:
    """What a user knows of it: one address, and the password that stood once in the log."""

    host: str
    port: int
    password: str
    trust: Path | None = None
    """The certificate to trust; None: it does not speak TLS."""
    client: str | None = None
    """The address that a client has for the services; None: whatever the network makes of it."""
    bulk: int = 200 * MIB
    """Bytes that are much here."""
    log: Callable[[], str] = str
    """What the services have written so far."""

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.trust is not None

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"{'wss' if self.secure else 'ws'}://{self.host}:{self.port}"

    @property
    def login(self) -> tuple[str, str]:
        """Who may write, for `requests`."""
        return "admin", self.password

    @property
    def authorization(self) -> str:
        """The value of a header `Authorization`, by Basic, for who may write."""
        return "Basic " + b64encode(":".join(self.login).encode()).decode()

    @property
    def curl_flags(self) -> list[str]:
        """What curl needs to trust it."""
        return ["--cacert", str(self.trust)] if self.secure else []

    def context(self) -> ssl.SSLContext | None:
        """For a client that speaks TLS, where it is wanted."""
        return ssl.create_default_context(cafile=self.trust) if self.secure else None

    def connect(self, timeout: float = 15.0) -> RawConnection:
        return RawConnection(self.host, self.port, timeout, self.context())

    def http(self, timeout: float = 60.0) -> http.client.HTTPConnection:
        context = self.context()
        if context is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def ask(self, method: str, path: str, timeout: float = 30, **options: Any) -> requests.Response:
        """A request by `requests`, with its options."""
        trusted = str(self.trust) if self.secure else None
        return requests.request(method, self.url + path, timeout=timeout, verify=trusted, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """A GET request by `requests`, with its options."""
        return self.ask("GET", path, **options)

    def websocket(self, path: str, **options: Any) -> ClientConnection:
        """A WebSocket by `websockets`, with its options."""
        context = self.context()
        if context is not None:
            sock = socket.create_connection((self.host, self.port), 10)
            stream = TlsStream(sock, context, self.host)
            sock.settimeout(None)
            options["sock"] = plain_end(stream)
        websocket: ClientConnection = connect(f"ws://{self.host}:{self.port}{path}", open_timeout=10, **options)
        return websocket


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that nobody gets by chance: it is below those that the kernel deals out.

    It may take minutes until it is used, where images are built first, and other tests run meanwhile.
    """
    while True:
        port = random.randrange(10_000, 32_768)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
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


def wait_for_file(path: Path, process: OneProcess, seconds: float = 30.0) -> None:
    """Until `path` is there.

    Raises:
        TimeoutError: it did not appear.
        AssertionError: `process`, which was to make it, has ended.
    """
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.process.poll() is None, process.log
        if time.monotonic() > deadline:
            raise TimeoutError(f"there is no {path} after {seconds} s: {process.log}")
        time.sleep(0.05)
