"""The door: reads the opening request of a connection, and either says why not or lets the mount's conversation in.

Both services have the same one, so both refuse alike: by path 404, by handshake 400, 403, 405, 426 or 505, by size 431, by
time 408, by number 503, by login 401, 403, 429 or 503. What is behind it differs: Autobahn, or txWS around a stream factory.

The request arrives at once or in pieces, as the router replays it; what follows it in the same read goes to the conversation
with it. From then on the transport's bytes go to the conversation directly. The door stays the protocol of the connection
in Twisted's eyes: it ends it when the service drains, and writes the one line in the access log when it is over.
"""

from svckit.lease import IDrainable
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .conversation import Conversation
from .goodbye import Goodbye
from .handshake import Handshake, HeadReader, check_upgrade, parse_request
from .linger import linger
from .login import Login, is_own_page
from .mounts import Mount, Mounts
from .options import Options
from .refusals import Refusal

__all__ = ["Door", "DoorFactory"]

log = Logger()
access = Logger(namespace="access")  # not an attribute of a class: there a Logger forgets its namespace

RETRY_AFTER = 5
"""Seconds after which a client that was refused for want of room may come again."""


@implementer(IDrainable)
class Door(Protocol):
    """One connection."""

    factory: "DoorFactory"
    draining = False
    _conversation: Conversation | None = None
    _timer: IDelayedCall | None = None
    _path = ""
    _user: str | None = None
    _status: int | None = None
    _asking: "Deferred[None] | None" = None
    _waiting = False
    """Whether the auth service is being asked."""
    _rest = b""
    _goodbye: Goodbye | None = None

    def connectionMade(self) -> None:
        self._began = self.factory.clock.seconds()
        self._reader = HeadReader(self.factory.options.max_request)
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._timer = self.factory.clock.callLater(self.factory.options.handshake_timeout, self._too_late)

    def dataReceived(self, data: bytes) -> None:
        if self._status is not None:
            return  # refused, and waiting for the client to hang up
        if self._waiting:
            self._rest += data  # what was under way when we stopped reading
            return
        found = self._reader.feed(data)
        if isinstance(found, Refusal):
            self._refuse(found)
        elif found is not None:
            self._decide(*found)

    def _decide(self, head: bytes, rest: bytes) -> None:
        del self._reader  # and the head with it
        request = parse_request(head)
        if isinstance(request, Refusal):
            self._refuse(request)
            return
        self._path = request.path.decode("latin-1")
        mount = self.factory.mounts.find(request.path)
        if isinstance(mount, str):
            self._refuse(Refusal(404, mount))
            return
        handshake = check_upgrade(request, mount.origins)
        if isinstance(handshake, Refusal):
            self._refuse(handshake)
        elif mount.own_pages and mount.origins is None and not is_own_page(handshake):
            self._refuse(Refusal(403, "Pages of this origin may not connect."))
        elif self.factory.open_doors > self.factory.options.max_connections:
            self._refuse(_no_room("All connections of this service are taken."))
        elif mount.login:
            self._rest = rest
            self._ask(mount, handshake)
        else:
            self._let_in(mount, handshake, rest)

    def _ask(self, mount: Mount, handshake: Handshake) -> None:
        """Let nothing in before the auth service has spoken; it has a deadline of its own."""
        assert self.transport is not None
        assert self.factory.login is not None, "a mount with a login, and nobody to ask"
        self._stop_timer()
        self._wait(True)
        self._asking = Deferred.fromCoroutine(self._log_in(self.factory.login, mount, handshake))
        self._asking.addErrback(self._cannot_ask)

    async def _log_in(self, login: Login, mount: Mount, handshake: Handshake) -> None:
        assert self.transport is not None
        found = await login(handshake, self.transport.getPeer())
        if not self._waiting:
            return  # the client has left, or the service shuts down
        self._wait(False)
        rest, self._rest = self._rest, b""
        if isinstance(found, Refusal):
            self._refuse(found)
        else:
            self._user = found.user
            self._let_in(mount, found, rest)

    def _cannot_ask(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            log.failure("an opening request failed at its login", failure)
            if self._waiting:
                self._refuse(Refusal(500, "Something is wrong here."))

    def _wait(self, wait: bool) -> None:
        """Nothing is read meanwhile."""
        self._waiting = wait
        if IPushProducer.providedBy(self.transport):
            if wait:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def _let_in(self, mount: Mount, handshake: Handshake, rest: bytes) -> None:
        assert self.transport is not None
        conversation = mount.factory.buildProtocol(self.transport.getPeer())
        if conversation is None:
            self._refuse(_no_room("Nobody answers here right now."))
            return
        self._stop_timer()
        self._status = 101
        self._conversation = conversation
        self.dataReceived = conversation.dataReceived  # type: ignore[method-assign] # one call less for each read
        conversation.makeConnection(self.transport)
        conversation.begin(handshake, rest)

    # -- the end

    def _refuse(self, refusal: Refusal) -> None:
        assert self.transport is not None
        self._stop_timer()
        if self._waiting:
            self._wait(False)
        self._status = refusal.status
        self.transport.write(refusal.encode())
        self._timer = linger(self.transport, self.factory.clock, self.factory.options.close_timeout)

    def _too_late(self) -> None:
        self._refuse(Refusal(408, "The request head did not come in time."))

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def drain(self) -> None:
        """A WebSocket has no moment at which it is done, so it may go on until its goodbye."""
        self.draining = True
        factory = self.factory
        self._goodbye = Goodbye(factory.clock, factory.options.drain_spread, factory.drain_time, self._say_goodbye)

    def expire(self) -> None:
        """The drain time is up."""
        if self._goodbye is not None:
            self._goodbye.expire()
        else:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        if self._conversation is not None:
            self._conversation.expire()
        elif self._status is None:
            self._refuse(_no_room("This service is shutting down."))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        if self._goodbye is not None:
            self._goodbye.cancel()
        self._waiting = False
        if self._asking is not None:
            self._asking.cancel()
        self.factory.open_doors -= 1
        if self._conversation is not None:
            self.__dict__.pop("dataReceived", None)  # or the two would keep each other in memory
            self._conversation.connectionLost(reason)
        self._log()
        self._conversation = None

    def _log(self) -> None:
        assert self.transport is not None
        peer = self.transport.getPeer()
        ending = self._conversation.ending() if self._conversation is not None else None
        access.info(
            "{client} {path} {status} {code}",
            client=peer.host if isinstance(peer, IPv4Address | IPv6Address) else str(peer),
            path=self._path or None,
            user=self._user,
            status=self._status,
            code=ending and ending.code,
            by=ending and ending.by,
            received=ending and ending.received,
            sent=ending and ending.sent,
            ms=round((self.factory.clock.seconds() - self._began) * 1000, 1),
        )


class DoorFactory(Factory):
    """The factory of a service: its mounts, and how many are in."""

    noisy = False

    def __init__(
        self, mounts: list[Mount], options: Options, clock: IReactorTime, login: Login | None = None, drain_time: float = 0.0
    ) -> None:
        """`login` is needed where a mount wants one; `drain_time` is in seconds."""
        self.drain_time = drain_time
        self.mounts = Mounts({mount.path: mount for mount in mounts})
        self.options = options
        self.clock = clock
        self.login = login
        self.open_doors = 0

    def startFactory(self) -> None:
        for mount in self.mounts:
            mount.factory.doStart()

    def stopFactory(self) -> None:
        for mount in self.mounts:
            mount.factory.doStop()

    def buildProtocol(self, addr: IAddress | None) -> Door:  # type: ignore[override] # Door narrows `factory`
        self.open_doors += 1
        door = Door()
        door.factory = self
        return door


def _no_room(text: str) -> Refusal:
    return Refusal(503, text, (("Retry-After", str(RETRY_AFTER)),))
