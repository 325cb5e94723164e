"""What the tests of the static service share: a tree of files, a site in memory, and an auth that is a double."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from staticsvc import quick
from staticsvc.service import make_factory
from svckit.settings import Settings
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from tests.support.descriptors import no_descriptor_leaks
from tests.support.wire import BIG, Wire

Answer = tuple[int, dict[str, str], bytes]


class Door(Resource):
    """Lets in who says so; the double of `svckit.auth.protect`."""

    isLeaf = True

    def __init__(self, inner: Any, folder: Path, reactor: Any, *, service: str) -> None:
        super().__init__()
        self.inner, self.folder, self.reactor = inner, folder, reactor

    def render(self, request: Any) -> Any:
        if request.getHeader(b"Authorization") == b"yes":
            return self.inner.render(request)
        request.setResponseCode(401)
        request.setHeader(b"Content-Length", b"0")
        request.finish()
        return NOT_DONE_YET


class Client:
    """Asks a site, each time on a connection of its own."""

    def __init__(self, site: Any, clock: Clock) -> None:
        self.site, self.clock = site, clock

    def raw(self, request: bytes) -> bytes:
        """All that the site sends."""
        transport, channel = StringTransport(), self.site.buildProtocol(None)
        channel.makeConnection(transport)
        channel.dataReceived(request)
        self.clock.advance(0)
        channel.connectionLost(connectionDone)
        sent: bytes = transport.value()
        return sent

    def ask(self, target: str, *headers: str, method: str = "GET") -> Answer:
        """One exchange; `target` may hold surrogates for bytes that are no UTF-8."""
        lines = [f"{method} {target} HTTP/1.1", "Host: x", *headers, "", ""]
        head, _, body = self.raw("\r\n".join(lines).encode("utf-8", "surrogateescape")).partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        return int(first.split(" ")[1]), {k.lower(): v for k, _, v in (f.partition(": ") for f in fields)}, body


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("sub/deep", "private/inner", "noindex"):
        (root / folder).mkdir(parents=True)
    for name, text in {
        "index.html": "<p>top",
        "hello.txt": "hello",
        "sub/index.html": "<p>sub",
        "sub/deep/x.bin": "deep",
        "private/index.html": "<p>private",
        "private/inner/secret.txt": "secret",
        "noindex/a.txt": "a",
        ".env": "PASSWORD=1",
        "sub/.git": "ref",
    }.items():
        (root / name).write_text(text)
    (tmp_path / "outside.txt").write_text("outside")
    return root


Make = Callable[..., Client]


@pytest.fixture
def make(root: Path, tmp_path: Path) -> Iterator[Make]:
    clocks: list[Clock] = []
    sites: list[Any] = []

    def make_client(auth: bool = True, **options: object) -> Client:
        clocks.append(Clock())
        settings = Settings(
            service="static",
            replica="r1",
            state=tmp_path,
            auth=tmp_path / "auth" if auth else None,
            options={"root": str(root), **options},
        )
        sites.append(make_factory(settings, clocks[-1], Door))  # type: ignore[arg-type]
        return Client(sites[-1], clocks[-1])

    yield make_client
    for site in sites:
        site.stopFactory()


@pytest.fixture
def client(make: Make) -> Client:
    return make()


@pytest.fixture
def make_site_client() -> type[Client]:
    return Client


# -- the quick way


@pytest.fixture
def site(make: Any, root: Path) -> Any:
    (root / "big.bin").write_bytes(BIG)
    return make().site


@pytest.fixture
def wire(site: Any) -> Iterator[Wire]:
    wire = Wire(site)
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def nothing_leaks() -> Iterator[None]:
    with no_descriptor_leaks():
        yield


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The targets that went the quick way."""
    seen: list[bytes] = []
    original = quick.Exchange.__init__

    def noted(self: Any, channel: Any, uri: bytes) -> None:
        seen.append(uri)
        original(self, channel, uri)

    monkeypatch.setattr(quick.Exchange, "__init__", noted)
    return seen
