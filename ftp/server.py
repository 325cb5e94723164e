"""An FTP server behind the router: Twisted's own, with its users at the auth service, like everybody's.

The client waits for the server's greeting, so the router knows the protocol by silence, and hands the connection over as any
other. What travels on it are commands only. Each file and each listing has a data connection of its own, which the client
opens to a port that it is told (PASV, EPSV): those ports are ours, out of a range that is published beside the router's.

What Twisted's server does otherwise, and this one does not: it connects to wherever a client says (PORT and EPRT, RFC 2577),
hands a file to whoever comes first to the data port, and lets anonymous users in.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta
from svckit.auth import AuthUnavailable, PasswordCredentials, RemoteChecker, check_portal
from svckit.auth.reception import address_text
from svckit.reactors import Reactor
from svckit.settings import BadOptions, Settings
from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.protocols import ftp
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

__all__ = ["Options", "make_factory"]

URI = b"/ftp/"
"""What the auth service's rules call it: a rule for this prefix says whose groups may log in."""

log = Logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The service's options, with their defaults."""

    root: str = ""
    """Folder of the files, the same for all users; empty: `files` below the service's state."""
    ports: str = "30000-30009"
    """Range of ports for data connections; one is taken for each transfer under way."""
    address: str = ""
    """IPv4 address that PASV names; empty: the one that the client has connected to. EPSV needs none."""
    max_connections: Annotated[int, Meta(ge=1)] = 100
    """Clients at a time; one more is answered with 421."""
    client_connections: Annotated[int, Meta(ge=1)] = 20
    """The same for each client's address: nobody takes all places."""
    idle_timeout: Annotated[float, Meta(gt=0)] = 300.0
    """Seconds without a command, and without a transfer."""


class Unavailable(ftp.FTPCmdError):
    """Nobody can be logged in at the moment."""

    errorCode = ftp.SVC_NOT_AVAIL_CLOSING_CTRL_CNX


class NoDataPort(ftp.FTPCmdError):
    """All ports of the range are taken."""

    errorCode = ftp.CANT_OPEN_DATA_CNX


class Server(ftp.FTP):
    """One client's connection for commands."""

    transport: Any  # ITCPTransport
    portal: Any
    address = ""

    def ftp_PASS(self, password: str) -> "Deferred[Any]":
        """The login: 230, 530 for a refusal of any kind, 421 where nobody could be asked."""
        user = self._user
        del self._user
        # latin-1 undoes what was done to the line; users' names and passwords are UTF-8
        brought = PasswordCredentials(
            user.encode("latin-1"), password.encode("latin-1"), b"LOGIN", URI, address_text(self.transport.getPeer())
        )
        done: Deferred[Any] = self.portal.login(brought, None, ftp.IFTPShell)
        done.addCallbacks(self._logged_in, self._not_logged_in)
        return done

    def _logged_in(self, result: tuple[Any, Any, Callable[[], None]]) -> object:
        _, self.shell, self.logout = result
        self.workingDirectory: list[str] = []
        self.state = self.AUTHED
        return ftp.USR_LOGGED_IN_PROCEED

    def _not_logged_in(self, failure: Failure) -> None:
        self.state = self.UNAUTH
        if failure.check(LoginFailed):
            raise ftp.AuthorizationError
        if failure.check(AuthUnavailable) is None:
            log.failure("a login failed", failure)
        raise Unavailable

    def timeoutConnection(self) -> None:
        """`idle_timeout` has passed without a command: say so before the end."""
        self.sendLine(f"421 No command for {self.timeOut:g} s; closing control connection.")
        super().timeoutConnection()

    def ftp_PASV(self) -> "Deferred[Any]":
        return self._or_425(super().ftp_PASV())

    def ftp_EPSV(self, protocol: str = "") -> "Deferred[Any]":
        return self._or_425(maybeDeferred(super().ftp_EPSV, protocol))

    def _or_425(self, done: "Deferred[Any]") -> "Deferred[Any]":
        """The client has not come to the port that it was told: others may have the port. Twisted takes that for a fault."""

        def nobody_came(failure: Failure) -> object:
            failure.trap(ftp.PortConnectionError)
            if self.dtpFactory is not None:
                self.cleanupDTP()
            return ftp.CANT_OPEN_DATA_CNX

        return done.addErrback(nobody_came)

    def ftp_NLST(self, path: str = "") -> "Deferred[Any]":
        """Without a path too (RFC 959)."""
        done: Deferred[Any] = super().ftp_NLST(path)
        return done

    def getDTPPort(self, factory: Any, interface: str = "") -> IListeningPort:
        """A port of the range, for the client itself and nobody else."""
        client, build = self.transport.getPeer().host, factory.buildProtocol

        def for_the_client(address: Any) -> Any:
            return build(address) if _plain(address.host) == _plain(client) else None

        factory.buildProtocol = for_the_client
        try:
            port: IListeningPort = super().getDTPPort(factory, interface)
        except CannotListenError:
            factory.cancelTimeout()
            self.dtpFactory = None
            raise NoDataPort from None
        return port

    def reply(self, key: str, *arguments: object) -> None:
        if key == ftp.ENTERING_PASV_MODE and self.address:
            given = str(arguments[0]).split(",")
            arguments = (",".join([*self.address.split("."), *given[4:]]),)
        super().reply(key, *arguments)

    def ftp_PORT(self, address: str) -> "Deferred[Any]":
        """Not here: we would connect to whatever a client names."""
        return fail(ftp.CmdNotImplementedError("PORT"))

    def ftp_EPRT(self, extendedAddress: str) -> "Deferred[Any]":
        """As PORT."""
        return fail(ftp.CmdNotImplementedError("EPRT"))


class Factory(ftp.FTPFactory):
    """Counts connections, in all and for each address."""

    client_connections = 1

    def __init__(self, portal: Portal) -> None:
        super().__init__(portal)
        self._from: Counter[str] = Counter()

    def buildProtocol(self, addr: Any) -> Any:
        host = _plain(getattr(addr, "host", ""))
        if self._from[host] < self.client_connections:
            made = super().buildProtocol(addr)
        else:
            most, self.connectionLimit = self.connectionLimit, 0  # type: ignore[assignment]  # typed as None in Twisted
            made = super().buildProtocol(addr)
            self.connectionLimit = most
        self._from[host] += 1
        made.host = host
        return made

    def unregisterProtocol(self, p: Any) -> None:
        """It has ended."""
        super().unregisterProtocol(p)
        self._from[p.host] -= 1
        if not self._from[p.host]:
            del self._from[p.host]


class OneFolder(ftp.BaseFTPRealm):
    """All users see the same files."""

    def getHomeDirectory(self, avatarId: bytes) -> FilePath[str]:
        root: FilePath[str] = self.anonymousRoot
        return root


def make_factory(settings: Settings, reactor: Reactor, portal: Portal | None = None) -> ftp.FTPFactory:
    """The FTP server; `portal` is one that asks the auth service unless given.

    Raises:
        BadOptions: an option is wrong, the folder cannot be made, or there is no auth service.
    """
    options = settings.options_as(Options)
    if settings.auth is None and portal is None:
        raise BadOptions(f"{settings.service}: there is no auth service to ask; PORTICO_AUTH names the folder of its sockets")
    root = Path(options.root) if options.root else settings.state / "files"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOptions(f"{settings.service}: root: {root}: {error.strerror}") from error
    if portal is None:
        assert settings.auth is not None
        portal = Portal(OneFolder(str(root)), [RemoteChecker(settings.auth, reactor, service=settings.service)])
    check_portal(portal, ["Basic"])  # a user and a password, as FTP has them too
    factory: Any = Factory(portal)
    factory.allowAnonymous = False
    factory.noisy = False
    factory.welcomeMessage = "Portico"
    factory.connectionLimit = options.max_connections
    factory.client_connections = options.client_connections
    factory.timeOut = options.idle_timeout
    factory.passivePortRange = _ports(settings, options.ports)
    factory.protocol = type("Server", (Server,), {"listenFactory": staticmethod(reactor.listenTCP), "address": options.address})
    made: ftp.FTPFactory = factory
    return made


def _ports(settings: Settings, text: str) -> range:
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        found = range(0)
    if not found or found[0] < 1 or found[-1] > 65535:
        raise BadOptions(f"{settings.service}: ports: {text!r}: expected FIRST-LAST")
    return found


def _plain(host: str) -> str:
    """An IPv4 address as such, also where a socket of IPv6 tells it."""
    return host.removeprefix("::ffff:")
