"""Real clients against a real site: curl and requests, Basic and Digest, through `svckit.auth.protect`."""

from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPConnection

import requests
from authsvc.hashing import make_record
from authsvc.store import Store
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from twisted.internet.defer import gatherResults
from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent

from .support.logins import PASSWORD, TIMEOUT, LoginCase, needs_curl


class LoginTests(LoginCase):
    @needs_curl
    async def test_curl(self) -> None:
        for scheme, method in (("--basic", "basic"), ("--digest", "digest"), ("--anyauth", "digest")):
            self.assertEqual(await self.curl(scheme), "hello admin 200\n", scheme)
            self.assertEqual(await self.curl(scheme, password="nope"), "Unauthorized\n 401\n", scheme)
            self.assertEqual(self.decisions, [(method, "allowed"), (method, "denied")], scheme)
            self.log.clear()

    @needs_curl
    async def test_curl_goes_on_with_its_nonce_and_sends_bodies(self) -> None:
        self.assertEqual(await self.curl("--digest", urls=(self.url,) * 3), "hello admin 200\n" * 3)
        self.assertEqual(await self.curl("--digest", "-d", "12345"), "admin sent 5 200\n")
        self.assertEqual(self.decisions, [("digest", "allowed")] * 4)

    async def test_requests(self) -> None:
        self.assertEqual(await self.get(lambda: HTTPBasicAuth(b"admin", PASSWORD.encode()), 3), [200] * 3)
        self.assertEqual(await self.get(lambda: HTTPDigestAuth("admin", PASSWORD), 3), [200] * 3)
        self.assertEqual(await self.get(lambda: HTTPBasicAuth("admin", "nope")), [401])
        self.assertEqual(await self.get(lambda: HTTPDigestAuth("admin", "nope")), [401])
        expected = [("basic", "allowed")] * 3 + [("digest", "allowed")] * 3 + [("basic", "denied"), ("digest", "denied")]
        self.assertEqual(self.decisions, expected)

    async def test_rules(self) -> None:
        """403 for a user whose groups may not; a group that is joined, and a rule that changes, hold soon after."""
        rules = self.folder / "rules.toml"
        rules.write_text('[[rules]]\nprefix = "/private/"\nmethods = ["GET"]\ngroups = ["staff"]\n')
        await self.authsvc.stopService()
        self.start_authsvc(rules=str(rules), account_time="0")
        store = Store(self.folder / "state")
        self.addCleanup(store.close)
        logins: list[Callable[[], AuthBase]] = [
            lambda: HTTPBasicAuth(b"admin", PASSWORD.encode()),
            lambda: HTTPDigestAuth("admin", PASSWORD),
        ]
        for login in logins:
            self.assertEqual(await self.get(login), [403])
        store.groups.add("staff")
        store.groups.join("staff", [b"admin"])
        for login in logins:
            self.assertEqual(await self.get(login), [200])
        self.assertEqual(await self.curl("--digest", "-X", "DELETE"), "Forbidden\n 403\n")
        store.groups.leave("staff", [b"admin"])
        for login in logins:
            self.assertEqual(await self.get(login), [403])
        self.assertEqual(await self.get(lambda: HTTPBasicAuth("admin", "nope")), [401])
        self.assertEqual(self.decisions.count(("basic", "forbidden")), 2)

    async def test_guessing_is_slowed_down_and_others_get_in(self) -> None:
        def guess(number: int) -> list[tuple[str, bool]]:
            found = []
            host = self.urls[0].removeprefix("http://")
            connection = HTTPConnection(host, timeout=TIMEOUT, source_address=("127.0.0.2", 0))
            for guess in range(25):
                pair = b64encode(b"admin:%d-%d" % (number, guess)).decode()
                connection.request("GET", "/private/x", headers={"Authorization": f"Basic {pair}"})
                answer = connection.getresponse()
                answer.read()
                found.append((str(answer.status), int(answer.headers.get("Retry-After", 0)) > 0))
            connection.close()
            return found

        await self.authsvc.stopService()
        self.start_authsvc(user_pause="1000")
        guessers = [deferToThread(guess, number) for number in range(20)]
        user = HTTPBasicAuth(b"admin", PASSWORD.encode())
        store = Store(self.folder / "state")
        self.addCleanup(store.close)
        store.add(make_record(b"alice", b"x", (b"portico",)))
        self.assertEqual(await self.get(lambda: HTTPDigestAuth("alice", "x"), 3), [200] * 3)  # while they guess
        found = [one for answers in await gatherResults(guessers) for one in answers]
        self.assertEqual(len(found), 500)
        self.assertLessEqual(set(found), {("401", False), ("429", True), ("503", True)})
        self.assertLessEqual(found.count(("401", False)), 10 + 20)  # its tries, and one of each connection at once
        self.assertGreater(found.count(("429", True)), 300)
        self.assertEqual(await self.get(lambda: user), [429])  # not known from here, and the name is being guessed at
        self.assertNotIn(("basic", "allowed"), self.decisions)

    async def test_the_auth_service_goes_and_comes_back(self) -> None:
        def run(auth: AuthBase | None = None) -> tuple[int, str | None]:
            answer = requests.get(self.url, auth=auth, timeout=TIMEOUT)
            return answer.status_code, answer.headers.get("Retry-After")

        digest = HTTPDigestAuth("admin", PASSWORD)
        self.assertEqual(await deferToThread(run, digest), (200, None))
        await self.authsvc.stopService()
        for auth in (None, digest, HTTPBasicAuth("admin", "x")):
            self.assertEqual(await deferToThread(run, auth), (503, "2"))
        self.start_authsvc()
        self.assertEqual(await deferToThread(run), (401, None))
        fresh = HTTPDigestAuth("admin", PASSWORD)
        self.assertEqual(await deferToThread(run, fresh), (200, None))

    async def test_no_log_line_has_the_password(self) -> None:
        await self.get(lambda: HTTPBasicAuth(b"admin", PASSWORD.encode()))
        await self.get(lambda: HTTPDigestAuth("admin", PASSWORD))
        self.assertTrue(self.decisions)
        for event in self.log:
            text = (formatEvent(event) or "") + repr(event)
            self.assertNotIn(PASSWORD, text)
            self.assertNotIn("wönder", text)
