"""The service over a real Unix socket."""

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

from authsvc.hashing import make_record
from authsvc.service import SOCKET_MODE, AuthService, make_service
from authsvc.store import Store
from svckit.auth import AuthClient, AuthUnavailable, RemoteChecker
from svckit.auth.commands import CheckPassword, Denied
from svckit.settings import BadOptions
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from authsvc import service as service_module

from .support.settings import settings_in


class ServiceTests(TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="authsvc"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "secret").write_text("wonderland\n")
        self.path = self.folder / "auth" / "one.sock"
        self.checker = RemoteChecker(self.folder / "auth", reactor, service="test")
        self.addCleanup(self.checker.client.close)

    def start(self, replica: str = "one", **options: object) -> AuthService:
        settings = settings_in(self.folder, replica, admin_password_file=str(self.folder / "secret"), **options)
        made: Any = make_service(settings, reactor)
        made.startService()
        self.addCleanup(lambda: made.stopService() if made.running else None)
        return made  # type: ignore[no-any-return]

    def log_in(self, password: bytes = b"wonderland", user: bytes = b"admin") -> "Deferred[Any]":
        return self.checker.requestAvatarId(UsernamePassword(user, password))

    async def test_it_answers_logins(self) -> None:
        self.start()
        self.assertEqual(await self.log_in(), b"admin")
        for wrong in (self.log_in(b"nope"), self.log_in(user=b"bob")):
            with self.assertRaises(UnauthorizedLogin):
                await wrong

    async def test_modes_and_places(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        service = self.start()
        self.assertTrue(self.path.is_socket())
        self.assertEqual(self.path.stat().st_mode & 0o777, SOCKET_MODE)
        self.assertEqual(os.umask(0), 0)
        for path in (self.folder / "state").iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path.name)
        await service.stopService()
        self.assertEqual(list((self.folder / "auth").iterdir()), [])

    async def test_the_socket_is_never_open_to_others_not_even_at_first(self) -> None:
        seen: list[int] = []
        listen = reactor.listenUNIX  # type: ignore[attr-defined]

        def listen_unix(*arguments: Any, **keywords: Any) -> Any:
            seen.append(os.umask(0))
            os.umask(seen[-1])
            return listen(*arguments, **keywords)

        self.patch(reactor, "listenUNIX", listen_unix)
        self.start()
        self.assertEqual([0o777 & ~mask for mask in seen], [SOCKET_MODE])

    async def test_users_that_are_made_while_it_runs(self) -> None:
        self.start(account_time="0")
        with self.assertRaises(UnauthorizedLogin):
            await self.log_in(b"x", b"alice")
        store = Store(self.folder / "state")
        self.addCleanup(store.close)
        store.add(make_record(b"alice", b"x", (b"portico",)))
        self.assertEqual(await self.log_in(b"x", b"alice"), b"alice")
        store.replace(make_record(b"alice", b"y", (b"portico",)))
        with self.assertRaises(UnauthorizedLogin):
            await self.log_in(b"x", b"alice")
        store.remove(b"alice")
        with self.assertRaises(UnauthorizedLogin):
            await self.log_in(b"y", b"alice")

    async def test_a_restart_is_found_and_keeps_users_and_key(self) -> None:
        service = self.start()
        self.assertEqual(await self.log_in(), b"admin")
        key = (await self.checker.client.terms()).key
        await service.stopService()
        with self.assertRaises(AuthUnavailable):
            await self.log_in()
        self.start()
        self.assertEqual(await self.log_in(), b"admin")
        self.assertEqual((await self.checker.client.terms()).key, key)

    async def test_the_same_object_can_be_started_again(self) -> None:
        service = self.start()
        await service.stopService()
        service.startService()
        self.assertEqual(await self.log_in(), b"admin")

    async def test_replicas_share_users_and_key_and_stand_in_for_each_other(self) -> None:
        one, two = self.start("one"), self.start("two")
        self.assertEqual(await self.log_in(), b"admin")
        self.assertEqual(len(one.factory.connections) + len(two.factory.connections), 1)
        self.assertEqual(one.factory.ledger.key, two.factory.ledger.key)
        asked, other = (one, two) if one.factory.connections else (two, one)
        await asked.stopService()
        self.assertEqual(await self.log_in(), b"admin")
        self.assertEqual(len(other.factory.connections), 1)

    async def test_a_socket_left_by_a_crash_is_replaced(self) -> None:
        self.path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(self.path))
        self.start()
        self.assertEqual(await self.log_in(), b"admin")

    async def test_a_live_service_of_the_same_name_is_left_alone(self) -> None:
        self.start()
        with self.assertRaisesRegex(BadOptions, "another auth service of this name"):
            self.start()
        self.assertEqual(await self.log_in(), b"admin")

    async def test_what_is_wrong_on_disk_stops_the_start_and_is_said(self) -> None:
        (self.folder / "secret").write_text("")
        with self.assertRaisesRegex(BadOptions, "authsvc: .*secret: has no password"):
            self.start()
        (self.folder / "secret").write_text("wonderland")
        (self.folder / "state" / "nonce.keys").write_text("x")
        with self.assertRaisesRegex(BadOptions, "nonce.keys: expected lines"):
            self.start()
        (self.folder / "state" / "nonce.keys").unlink()
        (self.folder / "state" / "users.sqlite3").write_bytes(b"not a database, but long enough to be read as one" * 100)
        with self.assertRaisesRegex(BadOptions, "not a database"):
            self.start()
        self.assertFalse(self.path.exists())

    async def test_stopping_finishes_the_calls_under_way(self) -> None:
        self.patch(service_module, "STOP_LIMIT", 60.0)  # the machine may have more to do than eleven hashes
        service = self.start()
        await self.checker.client.terms()
        calls = [self.log_in(b"wrong", b"user %d" % number) for number in range(10)]
        right = self.log_in()
        while service.factory.under_way < 11:
            await deferLater(reactor, 0)
        await service.stopService()
        self.assertEqual(await right, b"admin")
        for call in calls:
            with self.assertRaises(UnauthorizedLogin):
                await call

    async def test_stopping_does_not_wait_for_ever(self) -> None:
        service = self.start()
        self.patch(service_module, "STOP_LIMIT", 0.01)
        never: Deferred[Any] = Deferred()
        await self.log_in()
        service.factory.checker.requestAvatarId = lambda credentials: never  # type: ignore[method-assign]
        call = self.log_in()
        while not service.factory.under_way:
            await deferLater(reactor, 0)
        with capturedLogs() as events:
            await service.stopService()
            with self.assertRaises(AuthUnavailable):
                await call
        self.assertEqual([event["calls"] for event in events if "calls" in event], [1])

    async def test_a_full_queue_is_busy_and_the_client_may_come_again(self) -> None:
        service = self.start(hash_queue="4", user_tries="1000")
        await self.checker.client.terms()

        def kind_of(failure: Failure) -> str:
            assert failure.type is not None
            return failure.type.__name__

        wrong: list[Deferred[Any]] = [self.log_in(b"wrong %d" % number) for number in range(12)]
        for login in wrong:
            login.addErrback(kind_of)
        outcomes = await gatherResults(wrong)
        self.assertEqual(set(outcomes), {"UnauthorizedLogin", "AuthUnavailable"})
        self.assertEqual(outcomes.count("UnauthorizedLogin") >= 4, True)
        self.assertEqual(await self.log_in(), b"admin")
        self.assertEqual(service.factory.under_way, 0)

    async def test_many_logins_of_one_user_cost_one_hash(self) -> None:
        service = self.start(hash_queue="1")
        passwords: Any = service.factory.checker._passwords  # type: ignore[attr-defined]
        hashed: list[bytes] = []
        verify = passwords._verify

        def counted(stored: str, password: bytes) -> Any:
            hashed.append(password)
            return verify(stored, password)

        passwords._verify = counted
        self.assertEqual(await gatherResults([self.log_in() for _ in range(100)]), [b"admin"] * 100)
        self.assertEqual(hashed, [b"wonderland"])

    async def test_a_service_that_gives_no_name_is_known_by_its_uid(self) -> None:
        service = self.start()
        client = AuthClient(self.folder / "auth", reactor)
        self.addCleanup(client.close)
        with self.assertRaises(Denied):
            await client.call(CheckPassword, user=b"x", password=b"y", method=b"", uri=b"", client=b"")
        self.assertEqual({one.service for one in service.factory.connections}, {f"uid {os.getuid()}"})
