"""What the tests of the uploads service share: a site in memory, and jobs that run at once or when told."""

from collections.abc import Callable, Iterator
from logging import CRITICAL, getLogger
from pathlib import Path
from select import select
from typing import Any
from uuid import uuid4

import pytest
from svckit.settings import Settings
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from uploadsvc.service import make_site

from .tus_client import Client

Answer = tuple[int, dict[str, str], bytes]


class Transport(StringTransport):
    """A StringTransport that can close its own side."""

    half_closed = False

    def loseWriteConnection(self) -> None:
        self.half_closed = True


class HeldJobs:
    """Runs jobs when told: a disk as slow as the test wants."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, job: Callable[[], Any]) -> "Deferred[Any]":
        done: Deferred[Any] = Deferred()
        self.jobs.append((job, done))
        return done

    def run_one(self) -> None:
        job, done = self.jobs.pop(0)
        maybeDeferred(job).addBoth(done.callback)

    def run_all(self) -> None:
        while self.jobs:
            self.run_one()


class Reactor(Clock):
    """A clock that also knows who waits for a descriptor; `look` calls those that have something to read."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def look(self) -> None:
        for reader in select(self.readers, [], [], 0)[0]:
            reader.doRead()


class Connection:
    """One connection of a client to the service."""

    def __init__(self, site: Any, clock: Clock) -> None:
        self.clock, self.transport = clock, Transport()
        self.channel = site.buildProtocol(None)
        self.channel.makeConnection(self.transport)
        self.open = True

    def send(self, data: bytes) -> None:
        self.channel.dataReceived(data)
        self.clock.advance(0)

    def lose(self) -> None:
        if self.open:
            self.open = False
            self.channel.connectionLost(connectionDone)

    def answers(self) -> list[Answer]:
        """All that has come so far; each answer must have its length."""
        rest, found = self.transport.value(), []
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = int(headers.get("content-length", "0"))
            found.append((int(first.split(" ")[1]), headers, rest[:length]))
            rest = rest[length:]
        return found

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One exchange on the connection."""
        self.transport.clear()
        lines = [f"{method} {path} HTTP/1.1", "Host: x"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body is not None and "Transfer_Encoding" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        self.send(head + (body or b""))
        (answer,) = self.answers()
        return answer


class Service:
    """A service over a folder, and its connections."""

    def __init__(self, root: Path, run: Any = maybeDeferred, **options: object) -> None:
        self.root, self.clock = root, Reactor()
        options = {"root": str(root), "writes": "anyone", **options}
        settings = Settings(service="uploads", replica="r1", state=root.parent, options=options)
        self.site = make_site(settings, self.clock, run)  # type: ignore[arg-type]
        self.connections: list[Connection] = []

    def connect(self) -> Connection:
        self.connections.append(Connection(self.site, self.clock))
        return self.connections[-1]

    def files(self) -> dict[str, bytes]:
        """All below the root, the hidden ones too."""
        return {str(p.relative_to(self.root)): p.read_bytes() for p in self.root.rglob("*") if p.is_file()}

    def finals(self) -> dict[str, bytes]:
        """What is published."""
        return {name: data for name, data in self.files().items() if not name.startswith(".")}

    def end(self) -> None:
        for connection in self.connections:
            connection.lose()
        for call in self.clock.getDelayedCalls():
            call.cancel()


class InBucket(Service):
    """The same over an object store; `root` is the folder for what is on its way."""

    def __init__(self, bucket: Any, *given: Any, **options: object) -> None:
        super().__init__(*given, store=bucket.url, **options)
        self.bucket = bucket

    def files(self) -> dict[str, bytes]:
        return self.bucket.objects()  # type: ignore[no-any-return]


class Objects:
    """A bucket of its own at a server of moto's, as seen from outside the service."""

    def __init__(self, endpoint: str, client: Any) -> None:
        self.client = client
        self.name = f"b{uuid4().hex}"
        self.client.create_bucket(Bucket=self.name)
        self.url = f"s3://{self.name}/some/where?endpoint={endpoint}&region=us-east-1&style=path"

    def objects(self) -> dict[str, bytes]:
        """All below the prefix."""
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", ())
        assert all(entry["Key"].startswith("some/where/") for entry in found)
        return {
            entry["Key"].removeprefix("some/where/"): self.client.get_object(Bucket=self.name, Key=entry["Key"])["Body"].read()
            for entry in found
        }

    def in_the_making(self) -> list[str]:
        """Keys of the multipart uploads that nobody has completed."""
        found = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", ())
        return [entry["Key"].removeprefix("some/where/") for entry in found]


@pytest.fixture(scope="session")
def object_server() -> Iterator[tuple[str, Any]]:
    """The address of a server that speaks S3, and a client of it."""
    import boto3
    from moto.server import ThreadedMotoServer

    getLogger("werkzeug").setLevel(CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    secret = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    yield f"http://{host}:{port}", boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **secret)
    server.stop()


@pytest.fixture
def objects(object_server: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> Objects:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret-of-a-test")
    return Objects(*object_server)


@pytest.fixture
def make_in_bucket(objects: Objects, tmp_path: Path) -> Iterator[Callable[..., InBucket]]:
    made: list[InBucket] = []

    def make(run: Any = maybeDeferred, **options: object) -> InBucket:
        made.append(InBucket(objects, tmp_path / f"host{len(made)}", run, **options))
        return made[-1]

    yield make
    for service in made:
        service.end()


@pytest.fixture(params=["folder", "bucket"])
def make_anywhere(request: pytest.FixtureRequest) -> Callable[..., Service]:
    """As `make_uploads`, for each kind of store; several of them share it."""
    made: Callable[..., Service] = request.getfixturevalue("make_uploads" if request.param == "folder" else "make_in_bucket")
    return made


@pytest.fixture
def anywhere(make_anywhere: Callable[..., Service]) -> Service:
    return make_anywhere()


@pytest.fixture
def make_uploads(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    made: list[Service] = []

    def make(run: Any = maybeDeferred, **options: object) -> Service:
        made.append(Service(tmp_path / "files", run, **options))
        return made[-1]

    yield make
    for service in made:
        service.end()


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    """Over a folder; a test that is parametrised by it may say `bucket`."""
    kind = getattr(request, "param", "folder")
    made: Service = request.getfixturevalue("make_uploads" if kind == "folder" else "make_in_bucket")()
    return made


@pytest.fixture
def client(service: Service) -> Client:
    return Client(service)


@pytest.fixture
def held() -> HeldJobs:
    return HeldJobs()


@pytest.fixture
def make_held() -> type[HeldJobs]:
    return HeldJobs
