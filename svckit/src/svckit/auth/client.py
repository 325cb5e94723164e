"""A connection to one of the auth services in a folder, and another when that one goes.

Each replica of the auth service has a socket in the folder. A client draws one of them and stays with it; several clients so
share the replicas. Any of them can answer any question, as what they know is in the store that they have in common.
Connections are made when they are needed: the first call after a loss finds another replica, or the same one started again.

A call that gets no answer because its replica goes, or because it stays silent for `REPLICA_TIMEOUT`, is asked again
elsewhere. That is safe: every question only asks. After `CALL_TIMEOUT` for all attempts together the caller gets
`AuthUnavailable`.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import SystemRandom
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols import amp
from twisted.python.failure import Failure

from . import commands
from .errors import AuthUnavailable
from .terms import Terms

__all__ = ["ATTEMPTS", "CALL_TIMEOUT", "REPLICA_TIMEOUT", "AuthClient"]

CALL_TIMEOUT = 5.0
"""Seconds that a call may take, failing over included."""

REPLICA_TIMEOUT = 2.0
"""Seconds after which a replica that does not answer is given up, and the next one asked."""

ATTEMPTS = 3
"""Replicas that a call is sent to, one after the other, before it fails."""

T = TypeVar("T")

_draw = SystemRandom().random

log = Logger()


class _Link(amp.AMP):
    """The connection; `terms` and `name` are set once the other side has been greeted."""

    terms: Terms
    name: str = ""
    on_lost: Callable[[], None] | None = None

    transport: Any

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.on_lost is not None:
            self.on_lost()
        super().connectionLost(reason)


class AuthClient:
    """Asks whichever auth service in `folder` answers.

    `service` is the name under which the auth service logs what we ask. `clock` is the reactor, unless a test says otherwise.
    """

    def __init__(
        self,
        folder: Path,
        reactor: Any,
        *,
        service: str = "",
        timeout: float = CALL_TIMEOUT,
        replica_timeout: float = REPLICA_TIMEOUT,
        clock: IReactorTime | None = None,
        draw: Callable[[], float] = _draw,
    ) -> None:
        self._folder = folder
        self._reactor = reactor
        self._clock: IReactorTime = reactor if clock is None else clock
        self._service = service
        self._draw = draw
        self._timeout = timeout
        self._replica_timeout = replica_timeout
        self._link: _Link | None = None
        self._connecting: Deferred[_Link] | None = None
        self._waiting: list[Deferred[_Link]] = []
        self._silent = ""  # the replica that last failed to answer: tried after all others

    async def terms(self) -> Terms:
        """What the auth service wants offered, and the key to mint nonces under.

        Raises:
            AuthUnavailable: no auth service answers.
        """
        link = await self._within(self._timeout, self._connected())
        return link.terms

    async def call(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """The answer of an auth service.

        Raises:
            AuthUnavailable: none answers, or the one that does fails.
            Exception: one of the command's own errors.
        """
        return await self._within(self._timeout, Deferred.fromCoroutine(self._call(command, arguments)))

    def close(self) -> None:
        """Drop the connection; the next call makes another."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._link is not None:
            self._link.transport.loseConnection()
            self._link = None

    async def _call(self, command: type[amp.Command], arguments: dict[str, Any]) -> dict[str, Any]:
        known: tuple[type[Exception], ...] = (CancelledError, *command.errors)
        for _ in range(ATTEMPTS):
            link = await self._connected()
            try:
                answer: dict[str, Any] = await self._within(self._replica_timeout, link.callRemote(command, **arguments))
            except known:
                raise
            except amp.RemoteAmpError as error:  # the service says that it failed: another would fail too
                raise AuthUnavailable(f"{link.name}: {error.errorCode!r}") from None
            except Exception as error:
                self._give_up(link, error)
            else:
                return answer
        raise AuthUnavailable(f"{ATTEMPTS} auth services went while they were asked")

    def _give_up(self, link: _Link, error: Exception) -> None:
        self._silent = link.name
        if self._link is link:
            self._link = None
            log.warn("auth service {replica} does not answer: {error}", replica=link.name, error=str(error))
        if link.transport is not None:
            link.transport.abortConnection()

    # -- connecting

    def _connected(self) -> "Deferred[_Link]":
        """The connection that is there, or the one being made: however many ask, only one is made."""
        if self._link is not None:
            return succeed(self._link)
        waiting: Deferred[_Link] = Deferred(self._forget)
        self._waiting.append(waiting)
        if self._connecting is None:
            self._connecting = Deferred.fromCoroutine(self._connect())
            self._connecting.addBoth(self._arrived)
        return waiting

    def _forget(self, waiting: "Deferred[_Link]") -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def _arrived(self, result: Any) -> None:
        self._connecting = None
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(result)

    async def _connect(self) -> _Link:
        try:
            paths = sorted(self._folder.glob("*.sock"))
            paths.sort(key=lambda path: (path.stem == self._silent, self._draw()))
        except OSError:
            paths = []
        reasons = []
        for path in paths:
            try:
                link = await self._within(self._replica_timeout, Deferred.fromCoroutine(self._greet(path)))
            except CancelledError:
                raise AuthUnavailable("closed") from None
            except Exception as error:
                reasons.append(f"{path.stem}: {type(error).__name__} {error}".rstrip())
            else:
                return link
        raise AuthUnavailable("; ".join(reasons) or "there is no socket of an auth service")

    async def _greet(self, path: Path) -> _Link:
        link: _Link = await connectProtocol(UNIXClientEndpoint(self._reactor, str(path)), _Link())
        try:
            answer = await link.callRemote(commands.Hello, version=commands.VERSION, service=self._service)
        except BaseException:
            if link.transport is not None:
                link.transport.abortConnection()
            raise
        link.terms, link.name = Terms.of(answer), path.stem
        link.on_lost = lambda: self._lost(link)
        self._link, self._silent = link, ""
        return link

    def _lost(self, link: _Link) -> None:
        if self._link is link:
            self._link = None

    async def _within(self, seconds: float, awaited: "Deferred[T] | Awaitable[T]") -> T:
        """The result of `awaited`, or `AuthUnavailable` after so many seconds."""
        deferred: Deferred[T] = awaited if isinstance(awaited, Deferred) else Deferred.fromCoroutine(awaited)  # type: ignore[arg-type]
        deferred.addTimeout(seconds, self._clock, onTimeoutCancel=_too_late)
        return await deferred


def _too_late(result: Any, seconds: float) -> Any:
    raise AuthUnavailable(f"no answer within {seconds:g} s")
