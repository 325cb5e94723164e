"""What the tests of this member share: a client's side of the wire, in memory and in a child process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from autobahn.twisted.websocket import WebSocketServerProtocol
from svckit.settings import Settings
from twisted.internet.task import Clock
from websocketsvc.autobahn_factory import HardenedFactory
from websocketsvc.door import DoorFactory
from websocketsvc.mounts import Mount
from websocketsvc.options import AutobahnOptions

from tests.support.redis_server import RedisServer

from .support.autobahn_setup import Chat
from .support.dialled import without_manners
from .support.fixtures import Dial, Frame, MakeChat, MakeSettings, MakeSetup, Serve, Shared, StartHub, Tools
from .support.memory_broker import Memory
from .support.served import Served
from .support.shared_rooms import shared_hub
from .support.txws_setup import Setup
from .support.wire import Client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture
def frame(tools: Tools) -> Frame:
    return tools.client_frame


@pytest.fixture
def make_chat(clock: Clock) -> MakeChat:
    """Connects a client to Autobahn over a transport in memory, with these options."""

    def connection(protocol: type[WebSocketServerProtocol] = Chat, **options: Any) -> Client:
        chosen = AutobahnOptions(**{"ping_interval": 0, **options})
        factory = HardenedFactory(protocol, chosen, clock)
        doors = DoorFactory([Mount(b"/", factory)], chosen, clock)
        return Client(doors, clock)

    Chat.made = []
    return connection


@pytest.fixture
def setup(clock: Clock) -> MakeSetup:
    """Makes txWS over a transport in memory, with these options."""
    return lambda **options: Setup(clock, **options)


@pytest.fixture
def raw() -> Iterator[Dial]:
    yield from without_manners()


@pytest.fixture
def settings(tmp_path: Path) -> MakeSettings:
    def make(service: str = "websocket", **options: object) -> Settings:
        return Settings(service=service, replica="1", state=tmp_path, options=options)

    return make


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started: list[Served] = []

    def start(name: str, **options: object) -> Served:
        served = Served(name, tmp_path / f"{name}-{len(started)}.log", **options)
        started.append(served)
        return served

    yield start
    for served in started:
        served.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A service with its default options, for the tests of a file that leave it as it was."""
    started: dict[str, Served] = {}

    def start(name: str) -> Served:
        if name not in started:
            started[name] = Served(name, tmp_path_factory.mktemp(name) / "log")
        return started[name]

    yield start
    for served in started.values():
        served.end()


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def start(memory: Memory, clock: Clock) -> StartHub:
    """Begins a replica of rooms whose broker is `memory`; it is given RoomOptions."""
    return lambda **options: shared_hub(memory, clock, **options)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of the tests' own."""
    running = RedisServer(tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()
