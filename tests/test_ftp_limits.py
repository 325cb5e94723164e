"""The limits of the FTP server in `ftp/`, in memory; all else of it is tested through the router, in test_ftp."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import twisted.internet
from svckit.settings import BadOptions, Settings
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.ftp import CANT_OPEN_DATA_CNX, FTPRealm
from zope.interface import implementer

from .support.tree import ROOT

PEER = IPv4Address("TCP", "192.0.2.1", 40_000)


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """The module: it is no package's, the service finds it by its folder."""
    found = importlib.util.spec_from_file_location("ftp_server", ROOT / "ftp/server.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # dataclasses look there
    found.loader.exec_module(module)
    yield module
    del sys.modules[found.name]


@implementer(IListeningPort)
class Port:
    """One for data, to which nobody comes."""

    stopped = False

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.9", 30_000)

    def startListening(self) -> None:
        """It does so from the beginning."""

    def stopListening(self) -> None:
        self.stopped = True


class Ports(Clock):
    """A reactor that has ports, of which nobody hears."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[Port] = []

    def listenTCP(self, *_: object, **__: object) -> Port:
        self.ports.append(Port())
        return self.ports[-1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ports:
    """It stands for the reactor; Twisted's server fetches the global one for its own calls, so it is that one, too."""
    made = Ports()
    monkeypatch.setattr(twisted.internet, "reactor", made)
    return made


class Site:
    """The server with its clients in memory."""

    def __init__(self, server: Any, state: Path, clock: Ports, **options: str) -> None:
        settings = Settings(service="ftp", replica="1", state=state, options=options)
        portal = Portal(FTPRealm(str(state)), [InMemoryUsernamePasswordDatabaseDontUse(alice=b"wonderland")])
        self.factory = server.make_factory(settings, clock, portal)

    def connect(self, peer: IPv4Address | IPv6Address = PEER) -> tuple[Any, StringTransport]:
        protocol, transport = self.factory.buildProtocol(peer), StringTransport(peerAddress=peer)
        protocol.makeConnection(transport)
        return protocol, transport


def test_one_client_more_than_max_connections_gets_421(server: Any, tmp_path: Path, clock: Ports) -> None:
    site = Site(server, tmp_path, clock, max_connections="2")
    (first, welcomed), (_, other), (late, refused) = (site.connect() for _ in range(3))
    assert welcomed.value().startswith(b"220 ") and other.value().startswith(b"220 ")
    assert refused.value().startswith(b"421 ") and refused.disconnecting
    for gone in (late, first):  # who was refused counts until it is gone, like any other
        gone.connectionLost(None)
    assert site.connect()[1].value().startswith(b"220 ")


def test_nobody_takes_all_places(server: Any, tmp_path: Path, clock: Ports) -> None:
    """An address counts as one, however a socket tells it."""
    site = Site(server, tmp_path, clock, client_connections="2")
    same, other = IPv6Address("TCP", "::ffff:192.0.2.1", 1), IPv4Address("TCP", "192.0.2.2", 1)
    (first, welcomed), (_, again), (late, refused), (_, elsewhere) = [site.connect(each) for each in (PEER, same, PEER, other)]
    assert welcomed.value().startswith(b"220 ") and again.value().startswith(b"220 ")
    assert refused.value().startswith(b"421 ") and refused.disconnecting
    assert elsewhere.value().startswith(b"220 ")
    for gone in (late, first):
        gone.connectionLost(None)
    assert site.connect(same)[1].value().startswith(b"220 ")
    assert site.connect()[1].value().startswith(b"421 ")


def test_a_client_without_a_command_is_told_and_let_go(server: Any, tmp_path: Path, clock: Ports) -> None:
    site = Site(server, tmp_path, clock, idle_timeout="30")
    protocol, transport = site.connect()
    clock.advance(29)
    protocol.dataReceived(b"NOOP\r\n")
    clock.advance(0)  # the answer is out, and the next command may come
    transport.clear()
    clock.advance(29)
    assert not transport.disconnecting
    clock.advance(1)
    assert transport.value() == b"421 No command for 30 s; closing control connection.\r\n"
    assert transport.disconnecting


def test_a_port_to_which_nobody_came_is_free_again(server: Any, tmp_path: Path, clock: Ports) -> None:
    site = Site(server, tmp_path, clock)
    connected, transport = site.connect()
    protocol = connected.wrappedProtocol
    protocol.state = protocol.AUTHED
    replies: list[object] = []
    protocol.ftp_PASV().addCallback(replies.append)
    (port,) = clock.ports
    assert b"\r\n227 " in transport.value() and not port.stopped
    clock.advance(protocol.dtpTimeout)
    assert replies == [CANT_OPEN_DATA_CNX]
    assert port.stopped
    protocol.ftp_PASV().addErrback(lambda _: None)
    assert len(clock.ports) == 2
    connected.connectionLost(None)
    assert clock.ports[1].stopped
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    "options", [{"max_connections": "0"}, {"client_connections": "0"}, {"idle_timeout": "0"}, {"idle_timeout": "-1"}]
)
def test_limits_that_would_let_nobody_in(server: Any, tmp_path: Path, clock: Ports, options: dict[str, str]) -> None:
    with pytest.raises(BadOptions, match=next(iter(options))):
        Site(server, tmp_path, clock, **options)
