"""What the router's tests share: a reactor turned by hand, the router's poller on it, an access log to look at, and rigs."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from portico.arrival import Arrival
from portico.balancing import Balancer
from portico.certificates import Certificates
from portico.config import Handoff, Limits
from portico.link import Link
from portico.pipes import Pipes
from portico.places import Places
from portico.poller import Poller
from portico.provenance import Provenance
from portico.service import RoutedService
from portico.targets.handoff import HandoffTarget
from svckit.handoff import socketfile

from tests.support.descriptors import open_descriptors

from .support.application import Deployed
from .support.joined import Joined
from .support.keepers import Make, Stage
from .support.linkrig import PATTERNS, HandReplica, Owner
from .support.listeners import admitted, make_listener  # noqa: F401  # fixtures
from .support.reactor import HandReactor
from .support.splitrig import Rig, open_sockets
from .support.tlsrig import two_names
from .support.wires import Answers, Logged, as_reactor


@pytest.fixture
def reactor() -> HandReactor:
    return HandReactor()


@pytest.fixture
def poller(reactor: HandReactor) -> Iterator[Poller]:
    poller = Poller()
    poller.start(as_reactor(reactor))
    yield poller
    assert not any(each is poller for each, _ in reactor.lost), "the reactor has dropped the poller"
    poller.stop(as_reactor(reactor))


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def logged(reactor: HandReactor) -> Logged:
    return Logged(reactor)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a Unix socket's path has 108 bytes at most."""
    made = Path(tempfile.mkdtemp(prefix="p"))
    yield made
    shutil.rmtree(made)


# -- two sockets joined


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    yield pipes
    pipes.close()


@pytest.fixture
def joined(reactor: HandReactor, poller: Poller, pipes: Pipes) -> Iterator[Joined]:
    before = open_descriptors()
    joined = Joined(reactor, poller, pipes)
    yield joined
    joined.close()
    pipes.close()
    assert len(joined.ends) == 1
    assert len(poller) == 0
    assert open_descriptors() == before


# -- a service that is split request by request


@pytest.fixture
def rig(reactor: HandReactor, poller: Poller, logged: Logged, answers: Answers) -> Iterator[Rig]:
    """A tcp service that is split request by request. (Where a test file has a rig of its own, that one stands.)"""
    before = open_sockets()
    rig = Rig(reactor, poller, logged, answers)
    yield rig
    rig.close()
    for arrival in rig.returned:
        arrival.close()
    assert rig.loads == [0]
    assert open_sockets() == before


# -- one link to a replica, and a handoff service with its folder


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def replica(folder: Path) -> Iterator[HandReplica]:
    replica = HandReplica(folder)
    yield replica
    replica.die()


@pytest.fixture
def link(reactor: HandReactor, poller: Poller, replica: HandReplica, owner: Owner) -> Iterator[Link]:
    sock = socketfile.connect(replica.path)
    link = Link(sock, str(replica.path), "static", PATTERNS, owner, poller, reactor.seconds, Provenance("static", b"k"))
    yield link
    link.end()
    assert len(poller) == 0
    assert owner.told.count("ended") == 1
    for arrival in owner.returned_:
        arrival.close()


@pytest.fixture
def ready(reactor: HandReactor, replica: HandReplica, link: Link) -> Link:
    replica.greet()
    reactor.settle()
    replica.hear()
    return link


@pytest.fixture
def service(reactor: HandReactor, answers: Answers) -> RoutedService:
    return RoutedService("static", Limits(queue_timeout=5.0), as_reactor(reactor), answers)


@pytest.fixture
def target(make_target: Callable[..., HandoffTarget]) -> HandoffTarget:
    """Not started."""
    return make_target(start=False)


@pytest.fixture
def make_target(
    reactor: HandReactor, poller: Poller, service: RoutedService, folder: Path, logged: Logged
) -> Iterator[Callable[..., HandoffTarget]]:
    made: list[HandoffTarget] = []

    def make(start: bool = True, **settings: object) -> HandoffTarget:
        target = HandoffTarget(
            service,
            folder,
            PATTERNS,
            2.0,
            poller,
            as_reactor(reactor),
            readmitted.append,
            logged.log,
            Balancer(Handoff()),
            Handoff(**settings),  # type: ignore[arg-type]
        )
        service.target = target
        made.append(target)
        if start:
            target.start()
        return target

    readmitted: list[Arrival] = []
    yield make
    for target in made:
        target.close()
    for arrival in readmitted:
        arrival.close()


@pytest.fixture
def deployed(reactor: HandReactor, folder: Path) -> Iterator[Deployed]:
    """At its end it has drained."""
    deployed = Deployed(reactor, folder)
    deployed.start()
    yield deployed
    if deployed.application.running:
        deployed.stop()
    reactor.pump([1.0] * 10)
    reactor.settle()
    assert len(deployed.stopped) == 1
    reactor.pump([1.0] * 5)


@pytest.fixture
def make_stage(folder: Path) -> Iterator[Make]:
    """Makes keepers, by the settings given."""
    made: list[Stage] = []

    def make(path: str = str(folder / "keeper"), **settings: object) -> Stage:
        made.append(Stage(path, **settings))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


@pytest.fixture
def stage(make_stage: Make) -> Stage:
    """A keeper on its stage."""
    return make_stage()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of two names, on disk."""
    return two_names(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def places() -> Iterator[Places]:
    """Room for any number; at the end nobody may have any."""
    places = Places(1 << 20, None, 1)
    yield places
    assert places.held == 0
    assert not places._clients
