"""What the tests of the uploads service share: a site in memory (`inmemory`), over a folder or an object store (`buckets`)."""

from collections.abc import Callable, Iterator
from logging import CRITICAL, getLogger
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import maybeDeferred

from .buckets import InBucket, Objects
from .held import HeldJobs
from .inmemory import Service
from .process import Child
from .tus_client import Client


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


@pytest.fixture
def pair(make_in_bucket: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Two hosts with one bucket."""
    from uploadsvc.s3 import shelf, spool, stretch

    from .s3_hosts import MIB

    monkeypatch.setattr(spool, "PART", 8 * MIB)
    monkeypatch.setattr(stretch, "LEAST_PART", 5 * MIB)
    monkeypatch.setattr(shelf, "LEAST_PART", 5 * MIB)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 5 * MIB)
    return make_in_bucket(max_size=64 * MIB), make_in_bucket(max_size=64 * MIB)


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
def start(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start_child(seconds_per_mib: float = 0.0, *options: str) -> Child:
        children.append(Child(tmp_path / "files", seconds_per_mib, *options))
        return children[-1]

    yield start_child
    for child in children:
        if child.process.poll() is None:
            child.end()


@pytest.fixture
def held() -> HeldJobs:
    return HeldJobs()


@pytest.fixture
def make_held() -> type[HeldJobs]:
    return HeldJobs
