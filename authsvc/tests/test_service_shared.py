"""Two services on one database, in a PostgreSQL."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from authsvc.hashing import make_record
from authsvc.service import make_service
from authsvc.store import Store
from svckit.auth import AuthUnavailable, RemoteChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from .support.settings import settings_in


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

    def start(self, folder: Path, options: dict[str, str]) -> RemoteChecker:
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
