"""Which scheme and algorithm a real client takes, and what a user whose hash was imported gets in with."""

from hashlib import md5

import requests
from authsvc.imports import read_htdigest, read_htpasswd
from authsvc.store import Store
from bcrypt import gensalt, hashpw
from requests.auth import HTTPBasicAuth, HTTPDigestAuth
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from .support.logins import PASSWORD, TIMEOUT, LoginCase, needs_curl


class SchemeTests(LoginCase):
    async def test_imported_users(self) -> None:
        """bcrypt by Basic, which leaves an argon2id hash; H(A1) by Digest, and only in its realm."""
        store = Store(self.folder / "state")
        self.addCleanup(store.close)
        store.merge(read_htpasswd(b"bob:" + hashpw(b"builder", gensalt(4)) + b"\n"))
        store.merge(read_htdigest(b"carol:portico:" + md5(b"carol:portico:singer").hexdigest().encode() + b"\n"))
        self.assertEqual(await self.get(lambda: HTTPBasicAuth("bob", "nope")), [401])
        self.assertTrue((store.password(b"bob") or "").startswith("$2b$04$"))
        self.assertEqual(await self.get(lambda: HTTPBasicAuth("bob", "builder"), 2), [200, 200])
        while not (store.password(b"bob") or "").startswith("$argon2id$"):
            await deferLater(reactor, 0)
        self.assertEqual(await self.get(lambda: HTTPBasicAuth("bob", "builder")), [200])
        self.assertEqual(await self.get(lambda: HTTPBasicAuth("bob", "nope")), [401])
        self.assertEqual(await self.get(lambda: HTTPDigestAuth("bob", "builder")), [401])
        self.assertEqual(await self.get(lambda: HTTPDigestAuth("carol", "singer")), [200])
        self.assertEqual(await self.get(lambda: HTTPDigestAuth("carol", "nope")), [401])
        self.assertEqual(await self.get(lambda: HTTPBasicAuth("carol", "singer")), [401])

    @needs_curl
    async def test_curl_takes_the_first_challenge_so_md5_may_stand_first(self) -> None:
        store = Store(self.folder / "state")
        self.addCleanup(store.close)
        store.merge(read_htdigest(b"carol:portico:" + md5(b"carol:portico:singer").hexdigest().encode()))
        self.assertEqual(await self.curl("--digest", "-u", "carol:singer"), "Unauthorized\n 401\n")
        await self.authsvc.stopService()
        self.start_authsvc(digest_algorithms="MD5,SHA-256")
        self.assertEqual(await self.curl("--digest", "-u", "carol:singer"), "hello carol 200\n")
        self.assertEqual(await self.curl("--digest"), "hello admin 200\n")

    @needs_curl
    async def test_schemes_are_offered_as_the_auth_service_says(self) -> None:
        """A client that takes the strongest scheme gets in with a password of which there is no H(A1)."""
        store = Store(self.folder / "state")
        self.addCleanup(store.close)
        store.merge(read_htpasswd(b"bob:" + hashpw(b"builder", gensalt(4)) + b"\n"))
        self.assertEqual(await self.curl("--anyauth", "-u", "bob:builder"), "Unauthorized\n 401\n")
        await self.authsvc.stopService()
        self.start_authsvc(schemes="basic")
        self.assertEqual(await self.curl("--anyauth", "-u", "bob:builder"), "hello bob 200\n")
        self.assertEqual(await self.curl("--digest"), "Unauthorized\n 401\n")
        await self.authsvc.stopService()
        self.start_authsvc(schemes="digest")
        self.assertEqual(await self.curl("--anyauth"), "hello admin 200\n")
        self.assertEqual(await self.curl("--basic"), "Unauthorized\n 401\n")

    async def test_an_algorithm_that_is_not_offered_is_not_taken(self) -> None:
        """The challenge was of a time when it was: a client would have to make it up."""
        auth = HTTPDigestAuth("admin", PASSWORD)  # takes the last of them, MD5

        def run() -> list[int]:
            return [requests.get(self.url, auth=auth, timeout=TIMEOUT).status_code for _ in range(2)]

        self.assertEqual(await deferToThread(run), [200, 200])
        await self.authsvc.stopService()
        self.start_authsvc(digest_algorithms="SHA-256")
        self.log.clear()
        statuses = await deferToThread(run)
        self.assertEqual(self.decisions, [("digest", "denied"), ("digest", "allowed"), ("digest", "allowed")])
        self.assertEqual(statuses, [200, 200])  # by SHA-256, when told of it
