"""A site behind `svckit.auth.protect`, the auth service that it asks, and clients to log in with."""

import os
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import requests
from authsvc.service import make_service
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from svckit.auth import protect
from svckit.settings import Settings
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import TestCase
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Site

TIMEOUT = 30
PASSWORD = "wönder:land"


needs_curl = unittest.skipUnless(
    shutil.which("curl") or os.environ.get("PORTICO_REQUIRE_PROGRAMS") == "1", "curl is not installed"
)


class From(HTTPAdapter):
    """Connections of one of our addresses."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **keywords: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(self._address, 0), **keywords)


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"hello %b" % request.user

    def render_POST(self, request: Any) -> bytes:
        return b"%b sent %d" % (request.user, len(request.content.read()))


class LoginCase(TestCase):
    """Two sites that ask one auth service, whose user is `admin`."""

    def setUp(self) -> None:
        self.patch(HTTPChannel, "abortTimeout", None)  # a clock of 15 s for closing connections, which no test waits for
        self.folder = Path(tempfile.mkdtemp(prefix="authsvc"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "secret").write_text(PASSWORD)
        self.start_authsvc()
        self.urls = [self.start_site() for _ in range(2)]
        self.url = self.urls[0] + "/private/x?a=b%20c"
        self.log: list[Any] = []
        observer = cast(ILogObserver, self.log.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def start_authsvc(self, replica: str = "one", **options: object) -> None:
        options["admin_password_file"] = str(self.folder / "secret")
        settings = Settings(
            service="authsvc", replica=replica, state=self.folder / "state", auth=self.folder / "auth", options=options
        )
        self.authsvc: Any = make_service(settings, reactor)
        self.authsvc.startService()
        self.addCleanup(self._stop, self.authsvc)

    def _stop(self, service: Any) -> Any:
        return service.stopService() if service.running else None

    def start_site(self) -> str:
        root = Resource()
        protected = protect(Hello(), self.folder / "auth", reactor, service="static")
        root.putChild(b"private", protected)
        port: Any = reactor.listenTCP(0, Site(root), interface="127.0.0.1")  # type: ignore[arg-type]
        self.addCleanup(port.stopListening)
        self.addCleanup(protected.client.close)
        return f"http://127.0.0.1:{port.getHost().port}"

    @property
    def decisions(self) -> list[tuple[str, str]]:
        return [(event["method"], event["outcome"]) for event in self.log if "outcome" in event]

    def curl(self, *arguments: str, password: str = PASSWORD, urls: tuple[str, ...] = ()) -> "Deferred[str]":
        """The statuses of the last answers, and their bodies."""
        command = ["curl", "-s", "-w", " %{http_code}\n", "-m", str(TIMEOUT), "-u", f"admin:{password}", *arguments]

        def run() -> str:
            done = subprocess.run([*command, *(urls or (self.url,))], capture_output=True, timeout=2 * TIMEOUT, check=True)
            return done.stdout.decode()

        return deferToThread(run)

    def get(self, auth: Callable[[], AuthBase], times: int = 1) -> "Deferred[list[int]]":
        def run() -> list[int]:
            with requests.Session() as session:
                session.trust_env = False
                session.auth = auth()
                return [session.get(self.url, timeout=TIMEOUT).status_code for _ in range(times)]

        return deferToThread(run)
