"""The side of the auth wire that answers: one `AuthProtocol` for each service that is connected.

One line is logged for each decision: who wanted in, by which method, from where, through which service, and how it ended. Its
other fields say what was asked for, without the query, and why it was denied. No password, hash or header is ever in it.
"""

import math
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from svckit.auth import SCHEMES, DigestCredentials, Malformed
from svckit.auth.commands import (
    VERSION,
    Busy,
    CheckDigest,
    CheckPassword,
    Denied,
    Forbidden,
    Hello,
    Stale,
    TooMany,
    WrongVersion,
)
from svckit.auth.digest import ALGORITHMS
from svckit.auth.limits import MAX_CLIENT, MAX_PASSWORD, MAX_USER
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure

from .asked import MAX_ALGORITHM, MAX_SERVICE, Asked, printable
from .nonces import NonceLedger
from .throttle import Throttle

__all__ = ["AuthFactory", "AuthProtocol"]


log = Logger()


class AuthProtocol(amp.AMP):
    """Answers one service."""

    factory: "AuthFactory"
    transport: Any
    service = ""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.service = _peer_name(self.transport)
        self.factory.connections.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.factory.connections.discard(self)
        self.factory.changed()

    @Hello.responder
    def hello(self, version: int, service: str) -> dict[str, Any]:
        if version != VERSION:
            raise WrongVersion(f"this auth service speaks version {VERSION}")
        if service:
            self.service = printable(service[:MAX_SERVICE].encode("utf-8", "replace"))
        return {
            "key": self.factory.ledger.key.secret,
            "algorithms": ",".join(self.factory.algorithms).encode("ascii"),
            "schemes": ",".join(self.factory.schemes).encode("ascii"),
            "bound": self.factory.ledger.bound,
        }

    @CheckPassword.responder
    def check_password(self, user: bytes, password: bytes, method: bytes, uri: bytes, client: bytes) -> "Deferred[Any]":
        asked = Asked("basic", user, method, uri, client)
        return self.factory.track(Deferred.fromCoroutine(self._decide(asked, self._password(user, password, client))))

    @CheckDigest.responder
    def check_digest(self, user: bytes, method: bytes, uri: bytes, client: bytes, **answer: Any) -> "Deferred[Any]":
        asked = Asked("digest", user, method, uri, client, answer["algorithm"])
        check = self._digest(user, method, uri, client, **answer)
        return self.factory.track(Deferred.fromCoroutine(self._decide(asked, check)))

    async def _password(self, user: bytes, password: bytes, client: bytes) -> Any:
        if len(user) > MAX_USER or len(password) > MAX_PASSWORD:
            raise Malformed("user or password of a length that nobody has")
        return await self.factory.checker.requestAvatarId(_Brought(user, password, self.factory.throttle.lane(user, client)))

    async def _digest(self, user: bytes, method: bytes, uri: bytes, client: bytes, algorithm: bytes, **answer: Any) -> Any:
        name = algorithm.decode("latin-1")
        if name not in self.factory.algorithms:
            raise Malformed("algorithm: not one that was offered")
        credentials = DigestCredentials(username=user, algorithm=name, method=method, uri=uri, client=client, **answer)
        nonce = self.factory.ledger.open(credentials.nonce, credentials.realm, client)
        avatar = await self.factory.checker.requestAvatarId(credentials)
        # Only now: a wrong answer uses up no count, and learns nothing of the nonce (RFC 7616 section 3.3, stale).
        if not await self.factory.ledger.use(credentials.nonce, nonce, credentials.nc):
            raise Stale
        return avatar

    async def _decide(self, asked: "Asked", check: Coroutine[Any, Any, Any]) -> dict[str, Any]:
        outcome, why = "failed", ""
        try:
            avatar = await self._throttled(asked, check)
            if asked.method and not await self.factory.allows(avatar, asked.method, asked.uri):
                raise Forbidden
            outcome = "allowed"
        except (UnauthorizedLogin, Malformed) as error:
            outcome, why = "denied", str(error)
            raise Denied from None
        except (Stale, Busy, TooMany, Forbidden) as error:
            outcome = _OUTCOMES[type(error)]
            raise
        finally:
            check.close()
            log.info(
                "{user} by {method} from {client} for {through}: {outcome}",
                user=printable(asked.user[:MAX_USER]),
                method=asked.scheme,
                client=printable(asked.client[:MAX_CLIENT]) or "?",
                through=self.service,  # each line has a `service` already: ours
                outcome=outcome,
                why=why,
                request=asked.request,
                algorithm=printable(asked.algorithm[:MAX_ALGORITHM]),
            )
        return {"avatar": avatar}

    async def _throttled(self, asked: "Asked", check: Coroutine[Any, Any, Any]) -> Any:
        """The result of `check`; a wrong login counts, and after too many of them nobody is asked."""
        throttle, key = self.factory.throttle, (asked.user, asked.client)
        wait = throttle.wait(*key)
        if wait > 0:
            raise TooMany(str(math.ceil(wait)))
        try:
            avatar = await check
        except (UnauthorizedLogin, Malformed):
            throttle.failed(*key)
            raise
        throttle.succeeded(*key)
        return avatar


class _Brought(UsernamePassword):
    """A password, and with which others its check shares the places that there are for one user."""

    def __init__(self, username: bytes, password: bytes, lane: bytes) -> None:
        super().__init__(username, password)
        self.lane = lane


_OUTCOMES: dict[type[Exception], str] = {Stale: "stale", Busy: "busy", TooMany: "too many tries", Forbidden: "forbidden"}


class AuthFactory(Factory):
    """Holds what the connections share, and knows which calls are under way."""

    protocol = AuthProtocol  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        checker: ICredentialsChecker,
        ledger: NonceLedger,
        throttle: Throttle,
        allows: Callable[[bytes, bytes, bytes], Awaitable[bool]],
        algorithms: tuple[str, ...] = tuple(ALGORITHMS),
        schemes: tuple[str, ...] = SCHEMES,
    ) -> None:
        """`allows` says whether a user may make a request of a method and a target.

        `algorithms` are what Digest offers, `schemes` what clients are offered at all, in this order.
        """
        self.checker = checker
        self.ledger = ledger
        self.throttle = throttle
        self.allows = allows
        self.algorithms = algorithms
        self.schemes = schemes
        self.connections: set[AuthProtocol] = set()
        self.under_way = 0
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def track(self, call: "Deferred[Any]") -> "Deferred[Any]":
        """Count a call as under way until it has an answer."""
        self.under_way += 1
        return call.addBoth(self._done)

    def _done(self, result: Any) -> Any:
        self.under_way -= 1
        self.changed()
        return result

    def idle(self) -> "Deferred[None]":
        """Fires once no call is under way."""
        return self._when(lambda: not self.under_way)

    def alone(self) -> "Deferred[None]":
        """Fires once nobody is connected."""
        return self._when(lambda: not self.connections)

    def _when(self, reached: Callable[[], bool]) -> "Deferred[None]":
        waiting: Deferred[None] = Deferred()
        self._waiting.append((reached, waiting))
        self.changed()
        return waiting

    def changed(self) -> None:
        """Tell those who wait for what has come true."""
        come_true = [pair for pair in self._waiting if pair[0]()]
        self._waiting = [pair for pair in self._waiting if pair not in come_true]
        for _, waiting in come_true:
            waiting.callback(None)


def _peer_name(transport: Any) -> str:
    """The uid on the other side: what a service is called that does not give its name."""
    peer = getattr(transport, "socket", None)
    if peer is None:
        return "?"
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f"uid {uid}"
