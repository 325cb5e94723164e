"""The auth service: listens on its socket in the folder that the other services share, and answers logins."""

import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from svckit.auth.commands import Busy
from svckit.settings import BadOptions, Settings
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from .accounts import Accounts
from .checker import StoreChecker
from .counts import SWEEP_INTERVAL, Counts
from .database import reason
from .firststart import make_first_user, read_password_file
from .jobs import Jobs
from .nonces import NonceLedger, load_keys
from .options import Options, options_from
from .passwords import PasswordChecks
from .rules import RulesFile
from .server import AuthFactory
from .store import Store
from .throttle import Pace, Throttle

__all__ = ["AuthService", "make_service"]

SOCKET_MODE = 0o660
"""Whoever shares the folder's group may ask."""

STOP_LIMIT = 5.0
"""Seconds that a stop waits for calls under way, unless the drain time is shorter."""

HANG_UP_LIMIT = 1.0
"""Seconds that a service has to read its last answers."""

log = Logger()


def make_service(settings: Settings, reactor: Any) -> IService:
    """The service, not yet started.

    Raises:
        svckit.settings.BadOptions: an option is wrong, or there is no folder for the socket.
    """
    options = options_from(settings)
    if settings.auth is None:
        raise BadOptions(f"{settings.service}: no auth folder is configured, so nobody could ask")
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
            self._store = self._open_store()
            try:
                self._begin()
            except BaseException:
                self._store.close()
                raise
        except (ValueError, sqlite3.Error, SQLAlchemyError) as error:
            raise BadOptions(f"{self._settings.service}: {reason(error)}") from error
        for pool in self._pools:
            pool.start()
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = self._reactor
        self._sweeping.start(SWEEP_INTERVAL, now=False)
        super().startService()

    def _open_store(self) -> Store:
        options = self._options
        url = options.database
        if options.database_file:
            url = os.fsdecode(read_password_file(Path(options.database_file)))
        # The service may lose its last nonce counts in a power failure; it need not wait for the disk at each.
        return Store(self._settings.state, url, connections=options.database_threads, durable=False)

    def _begin(self) -> None:
        options = self._options
        password_file = Path(options.admin_password_file) if options.admin_password_file else None
        store = self._store
        make_first_user(store, (options.realm.encode("utf-8"),), password_file)
        keys = load_keys(self._settings.state, Path(options.nonce_keys_file) if options.nonce_keys_file else None)
        hashing = ThreadPool(0, options.hash_threads, "argon2")
        looking = ThreadPool(0, options.database_threads, "database")
        self._pools = (hashing, looking)
        self._jobs = jobs = Jobs(partial(deferToThreadPool, self._reactor, looking), limit=options.database_queue)
        self._counts = counts = Counts(store.engine)
        ledger = NonceLedger(
            keys, time.time, partial(jobs.run, counts.use), lifetime=options.nonce_lifetime, bound=options.nonce_bound
        )
        passwords = PasswordChecks(
            partial(deferToThreadPool, self._reactor, hashing),
            self._reactor,
            queue_limit=options.hash_queue,
            rehash=partial(jobs.run, store.rehash),
        )
        accounts = Accounts(partial(jobs.run, store.account), self._reactor, time=options.account_time)
        rules = RulesFile(Path(options.rules) if options.rules else None, time.monotonic)
        throttle = Throttle(
            self._reactor, Pace(options.user_tries, options.user_pause), Pace(options.address_tries, options.address_pause)
        )

        async def allows(user: bytes, method: bytes, target: bytes) -> bool:
            account = await accounts.find(user)
            return account is not None and rules.rules.allow(account.groups, method, target)

        checker = StoreChecker(accounts, partial(jobs.run, store.ha1), passwords)
        self.factory = AuthFactory(checker, ledger, throttle, allows, options.algorithms, options.offered)
        self._listen()

    async def _sweep_counts(self) -> None:
        with suppress(Busy):  # then the next sweep does it
            await self._jobs.run(self._counts.sweep, self.factory.ledger.oldest)

    def _sweep(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._sweep_counts())

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
        self._sweeping.stop()
        await self._port.stopListening()  # removes the socket, so services look elsewhere from now on
        limit = min(STOP_LIMIT, self._settings.drain_time)
        await self.factory.idle().addTimeout(limit, self._reactor, onTimeoutCancel=self._gave_up)
        for connection in list(self.factory.connections):
            connection.transport.loseConnection()  # once its answers are out
        await self.factory.alone().addTimeout(HANG_UP_LIMIT, self._reactor, onTimeoutCancel=self._cut_off)
        for pool in self._pools:
            pool.stop()
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
