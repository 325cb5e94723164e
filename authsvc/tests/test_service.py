"""The service over a real Unix socket."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from authsvc.hashing import make_record
from authsvc.options import Options
from authsvc.service import SOCKET_MODE, AuthService, make_service
from authsvc.store import Store
from svckit.auth import AuthClient, AuthUnavailable, RemoteChecker
from svckit.auth.commands import CheckPassword, Denied
from svckit.settings import BadOptions, Settings
from twisted.application.service import IService
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from authsvc import service as service_module


def settings_in(folder: Path, replica: str = "one", **options: object) -> Settings:
    return Settings(service="authsvc", replica=replica, state=folder / "state", auth=folder / "auth", options=options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"reallm": "x"}, "unknown option 'reallm'"),
        ({"realm": ""}, "realm"),
        ({"realm": "r" * 256}, "realm"),
        ({"hash_threads": "0"}, "hash_threads"),
        ({"hash_threads": "many"}, "hash_threads"),
        ({"hash_queue": "-1"}, "hash_queue"),
        ({"nonce_lifetime": "0"}, "nonce_lifetime"),
        ({"account_time": "-1"}, "account_time"),
        ({"user_tries": "0"}, "user_tries"),
        ({"address_pause": "0"}, "address_pause"),
        ({"digest_algorithms": ""}, "digest_algorithms is one or more of SHA-256, MD5"),
        ({"digest_algorithms": "MD5,MD5"}, "digest_algorithms"),
        ({"digest_algorithms": "MD5,SHA"}, "digest_algorithms"),
        ({"schemes": ""}, "schemes is one or more of digest, basic"),
        ({"schemes": "digest,digest"}, "schemes"),
        ({"schemes": "bearer"}, "schemes"),
        ({"nonce_bound": "perhaps"}, "nonce_bound"),
        ({"database_threads": "0"}, "database_threads"),
        ({"database_queue": "0"}, "database_queue"),
        ({"database": "postgresql:///x", "database_file": "x"}, "only one"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, object], reason: str) -> None:
    with pytest.raises(BadOptions, match=reason):
        make_service(settings_in(tmp_path, **options), None)


def test_options_may_be_strings_of_an_environment(tmp_path: Path) -> None:
    made: Any = make_service(settings_in(tmp_path, nonce_lifetime="12.5", hash_threads="3", realm="site"), None)
    assert made._options == Options(nonce_lifetime=12.5, hash_threads=3, realm="site")
    assert IService.providedBy(made)
    assert made.name == "authsvc"


def test_without_an_auth_folder_nobody_could_ask(tmp_path: Path) -> None:
    with pytest.raises(BadOptions, match="auth folder"):
        make_service(Settings(service="authsvc", replica="one", state=tmp_path), None)


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
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        await service.stopService()
        with self.assertRaises(AuthUnavailable):
            await call
        self.assertEqual([event["calls"] for event in events if "calls" in event], [1])

    async def test_a_full_queue_is_busy_and_the_client_may_come_again(self) -> None:
        service = self.start(hash_queue="4", user_tries="1000")
        await self.checker.client.terms()
        outcomes: list[str] = []
        logins = [self.log_in(b"wrong %d" % number) for number in range(12)]
        for login in logins:
            login.addErrback(lambda failure: outcomes.append(failure.type.__name__))
        await gatherResults(logins)
        self.assertEqual(set(outcomes), {"UnauthorizedLogin", "AuthUnavailable"})
        self.assertEqual(outcomes.count("UnauthorizedLogin") >= 4, True)
        self.assertEqual(await self.log_in(), b"admin")
        self.assertEqual(service.factory.under_way, 0)

    async def test_many_logins_of_one_user_cost_one_hash(self) -> None:
        service = self.start(hash_queue="1")
        passwords: Any = service.factory.checker._passwords  # type: ignore[attr-defined]
        hashed: list[bytes] = []
        verify = passwords._verify
        passwords._verify = lambda stored, password: (hashed.append(password), verify(stored, password))[1]
        self.assertEqual(await gatherResults([self.log_in() for _ in range(100)]), [b"admin"] * 100)
        self.assertEqual(hashed, [b"wonderland"])

    async def test_a_service_that_gives_no_name_is_known_by_its_uid(self) -> None:
        service = self.start()
        client = AuthClient(self.folder / "auth", reactor)
        self.addCleanup(client.close)
        with self.assertRaises(Denied):
            await client.call(CheckPassword, user=b"x", password=b"y", method=b"", uri=b"", client=b"")
        self.assertEqual({one.service for one in service.factory.connections}, {f"uid {os.getuid()}"})


class SharedDatabaseTests(TestCase):
    """Two hosts: a folder each, and a PostgreSQL that both use."""

    @pytest.fixture(autouse=True)
    def _database(self, postgresql: Any) -> None:
        self.cluster = postgresql

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="authsvc"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "secret").write_text("wonderland\n")
        self.url = self.cluster.new_database()
        (self.folder / "url").write_text(self.url + "\n")
        self.hosts = [self.start(self.folder / name, url) for name, url in (("here", {"database": self.url}),
            ("there", {"database_file": str(self.folder / "url")}))]  # fmt: skip

    def start(self, folder: Path, options: dict[str, object]) -> RemoteChecker:
        options = {**options, "admin_password_file": str(self.folder / "secret"), "account_time": "0"}
        made: Any = make_service(settings_in(folder, **options), reactor)
        made.startService()
        self.addCleanup(made.stopService)
        checker = RemoteChecker(folder / "auth", reactor)
        self.addCleanup(checker.client.close)
        return checker

    async def test_users_are_the_same_on_both(self) -> None:
        for host in self.hosts:
            self.assertEqual(await host.requestAvatarId(UsernamePassword(b"admin", b"wonderland")), b"admin")
        store = Store(self.folder, self.url)
        self.addCleanup(store.close)
        store.replace(make_record(b"admin", b"looking-glass", (b"portico",)))
        for host in self.hosts:
            self.assertEqual(await host.requestAvatarId(UsernamePassword(b"admin", b"looking-glass")), b"admin")
            with self.assertRaises(UnauthorizedLogin):
                await host.requestAvatarId(UsernamePassword(b"admin", b"wonderland"))
        self.assertEqual(sorted(path.name for path in (self.folder / "here" / "state").iterdir()), ["nonce.keys"])

    async def test_a_database_that_goes_away_is_no_login_and_no_refusal(self) -> None:
        login = UsernamePassword(b"admin", b"wonderland")
        self.assertEqual(await self.hosts[0].requestAvatarId(login), b"admin")
        self.cluster.sql(f"DROP DATABASE {self.url.partition('?')[0].rpartition('/')[2]} WITH (FORCE)")
        for host in self.hosts:
            with self.assertRaises(AuthUnavailable):
                await host.requestAvatarId(login)


class ProcessTests(TestCase):
    """`svckit run authsvc`, as in its container."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="authsvc"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.checker = RemoteChecker(self.folder / "auth", reactor)
        self.addCleanup(self.checker.client.close)

    def run_authsvc(self) -> subprocess.Popen[str]:
        environment = {"PORTICO_AUTH": "auth", "PORTICO_STATE": "state", "PORTICO_REPLICA": "one", "PORTICO_RUN": "run"}
        command = [str(Path(sys.executable).with_name("svckit")), "run", "authsvc"]
        child = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.wait, 30)
        self.addCleanup(child.kill)
        return child

    def log_until(self, child: subprocess.Popen[str], text: str) -> "Deferred[list[dict[str, Any]]]":
        def read() -> list[dict[str, Any]]:
            lines: list[dict[str, Any]] = []
            assert child.stdout is not None
            for line in child.stdout:
                lines.append(json.loads(line))
                if text in lines[-1]["message"]:
                    return lines
            raise AssertionError(f"ended without {text!r}: {lines}")

        return deferToThread(read)

    async def test_first_start_crash_second_start_and_end(self) -> None:
        child = self.run_authsvc()
        lines = await self.log_until(child, "answers on")
        (password,) = [line["password"] for line in lines if "first start" in line["message"]]
        credentials = UsernamePassword(b"admin", password.encode())
        self.assertEqual(await self.checker.requestAvatarId(credentials), b"admin")
        child.kill()
        child.wait(30)
        with self.assertRaises(AuthUnavailable):
            await self.checker.requestAvatarId(credentials)
        self.assertTrue((self.folder / "auth" / "one.sock").exists())
        child = self.run_authsvc()
        lines = await self.log_until(child, "answers on")
        self.assertNotIn(password, json.dumps(lines))
        self.assertEqual(await self.checker.requestAvatarId(credentials), b"admin")
        child.terminate()
        self.assertEqual(await deferToThread(child.wait, 30), 0)
        self.assertFalse((self.folder / "auth" / "one.sock").exists())
