"""The auth service: listens on its socket in the folder that the other services share, and answers logins."""

import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svckit.auth.limits import MAX_REALM, NONCE_LIFETIME
from svckit.settings import BadOptions, Settings
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from .checker import StoreChecker
from .firststart import make_first_user
from .nonces import NonceLedger, load_keys
from .passwords import QUEUE_LIMIT, PasswordChecks
from .server import AuthFactory
from .store import Store

__all__ = ["AuthService", "Options", "make_service"]

SOCKET_MODE = 0o660
"""Whoever shares the folder's group may ask."""

STOP_LIMIT = 5.0
"""Seconds that a stop waits for calls under way, unless the drain time is shorter."""

HANG_UP_LIMIT = 1.0
"""Seconds that a service has to read its last answers."""

log = Logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The service's own options."""

    realm: str = "portico"
    """The realm that the first user is made for; `authsvc user add --realm` makes users for others."""
    admin_password_file: str = ""
    """File with the first user's password; without one a random password is made and shown in the log, once."""
    nonce_lifetime: float = NONCE_LIFETIME
    """Seconds for which a Digest nonce is good."""
    hash_threads: int = 2
    """Threads that check passwords, 19 MiB each."""
    hash_queue: int = QUEUE_LIMIT
    """Different logins that may wait for one of them; one more gets 503."""


def make_service(settings: Settings, reactor: Any) -> IService:
    """The service, not yet started.

    Raises:
        svckit.settings.BadOptions: an option is wrong, or there is no folder for the socket.
    """
    options = settings.options_as(Options)
    if settings.auth is None:
        raise BadOptions(f"{settings.service}: no auth folder is configured, so nobody could ask")
    if not 1 <= len(options.realm.encode("utf-8")) <= MAX_REALM:
        raise BadOptions(f"{settings.service}: realm has 1 to {MAX_REALM} bytes")
    for name in ("nonce_lifetime", "hash_threads", "hash_queue"):
        if getattr(options, name) <= 0:
            raise BadOptions(f"{settings.service}: {name} is more than 0")
    return AuthService(settings, options, settings.auth / f"{settings.replica}.sock", reactor)


class AuthService(Service):
    """Everything of one replica, from start to stop; can be started again."""

    factory: AuthFactory
    _port: Any = None

    def __init__(self, settings: Settings, options: Options, path: Path, reactor: Any) -> None:
        self.setName(settings.service)
        self._settings = settings
        self._options = options
        self._path = path
        self._reactor = reactor

    def startService(self) -> None:
        """Raises: BadOptions: what lies in the state folder, the password file or the auth folder is not what it should be."""
        try:
            self._store = Store(self._settings.state)
            try:
                self._begin()
            except BaseException:
                self._store.close()
                raise
        except (ValueError, sqlite3.Error) as error:
            raise BadOptions(f"{self._settings.service}: {error}") from error
        self._pool.start()
        super().startService()

    def _begin(self) -> None:
        options = self._options
        password_file = Path(options.admin_password_file) if options.admin_password_file else None
        make_first_user(self._store, (options.realm.encode("utf-8"),), password_file)
        ledger = NonceLedger(load_keys(self._settings.state), time.time, lifetime=options.nonce_lifetime)
        self._pool = ThreadPool(0, options.hash_threads, "argon2")
        passwords = PasswordChecks(self._store.password, self._in_thread, self._reactor, queue_limit=options.hash_queue)
        self.factory = AuthFactory(StoreChecker(self._store, passwords), ledger)
        self._listen()

    def _in_thread(self, function: Any, *arguments: Any) -> "Deferred[bool]":
        return deferToThreadPool(self._reactor, self._pool, function, *arguments)

    def _listen(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(self._path)
        with _umask(0o777 & ~SOCKET_MODE):  # so that it has this mode from the first moment
            self._port = self._reactor.listenUNIX(str(self._path), self.factory, mode=SOCKET_MODE)
        log.info("auth service {replica} answers on {path}", replica=self._settings.replica, path=str(self._path))

    def stopService(self) -> "Deferred[None]":
        """Take no new connection, finish the calls under way, then hang up."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._port.stopListening()  # removes the socket, so services look elsewhere from now on
        limit = min(STOP_LIMIT, self._settings.drain_time)
        await self.factory.idle().addTimeout(limit, self._reactor, onTimeoutCancel=self._gave_up)
        for connection in list(self.factory.connections):
            connection.transport.loseConnection()  # once its answers are out
        await self.factory.alone().addTimeout(HANG_UP_LIMIT, self._reactor, onTimeoutCancel=self._cut_off)
        self._pool.stop()
        self._store.close()

    def _gave_up(self, result: object, seconds: float) -> None:
        log.warn("{calls} calls were not finished within {seconds} s", calls=self.factory.under_way, seconds=seconds)

    def _cut_off(self, result: object, seconds: float) -> None:
        for connection in list(self.factory.connections):
            connection.transport.abortConnection()


def _remove_stale(path: Path) -> None:
    """Remove the socket that an earlier process of this name has left.

    Raises:
        BadOptions: that process is still there.
    """
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:  # its queue is full: somebody is there
            pass
    raise BadOptions(f"{path}: another auth service of this name is running")


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
