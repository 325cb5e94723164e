"""Real clients against a real site: curl and requests, Basic and Digest, through `svckit.auth.protect`."""

import os
import shutil
import subprocess
import tempfile
import unittest
from base64 import b64encode
from collections.abc import Callable
from hashlib import md5
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import requests
from authsvc.hashing import make_record
from authsvc.imports import read_htdigest, read_htpasswd
from authsvc.service import make_service
from authsvc.store import Store
from bcrypt import gensalt, hashpw
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from svckit.auth import protect
from svckit.settings import Settings
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Site

TIMEOUT = 30
PASSWORD = "wönder:land"


needs_curl = unittest.skipUnless(
    shutil.which("curl") or os.environ.get("PORTICO_REQUIRE_PROGRAMS") == "1", "curl is not installed"
)


class From(HTTPAdapter):
    """Connections of one of our addresses."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **keywords: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(self._address, 0), **keywords)


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"hello " + request.user

    def render_POST(self, request: Any) -> bytes:
        return b"%b sent %d" % (request.user, len(request.content.read()))


class LoginTests(TestCase):
    def setUp(self) -> None:
        self.patch(HTTPChannel, "abortTimeout", None)  # a clock of 15 s for closing connections, which no test waits for
        self.folder = Path(tempfile.mkdtemp(prefix="authsvc"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "secret").write_text(PASSWORD)
        self.start_authsvc()
        self.urls = [self.start_site() for _ in range(2)]
        self.url = self.urls[0] + "/private/x?a=b%20c"
        self.log: list[Any] = []
        globalLogPublisher.addObserver(self.log.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.log.append)

    def start_authsvc(self, replica: str = "one", **options: object) -> None:
        options["admin_password_file"] = str(self.folder / "secret")
        settings = Settings(
            service="authsvc", replica=replica, state=self.folder / "state", auth=self.folder / "auth", options=options
        )
        self.authsvc: Any = make_service(settings, reactor)
        self.authsvc.startService()
        self.addCleanup(lambda service=self.authsvc: service.stopService() if service.running else None)

    def start_site(self) -> str:
        root = Resource()
        protected = protect(Hello(), self.folder / "auth", reactor, service="static")
        root.putChild(b"private", protected)
        port = reactor.listenTCP(0, Site(root), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(protected.client.close)
        return f"http://127.0.0.1:{port.getHost().port}"

    @property
    def decisions(self) -> list[tuple[str, str]]:
        return [(event["method"], event["outcome"]) for event in self.log if "outcome" in event]

    def curl(self, *arguments: str, password: str = PASSWORD, urls: tuple[str, ...] = ()) -> "Deferred[str]":
        """The statuses of the last answers, and their bodies."""
        command = ["curl", "-s", "-w", " %{http_code}\n", "-m", str(TIMEOUT), "-u", f"admin:{password}", *arguments]

        def run() -> str:
            done = subprocess.run([*command, *(urls or (self.url,))], capture_output=True, timeout=2 * TIMEOUT, check=True)
            return done.stdout.decode()

        return deferToThread(run)

    def get(self, auth: Callable[[], AuthBase], times: int = 1) -> "Deferred[list[int]]":
        def run() -> list[int]:
            with requests.Session() as session:
                session.trust_env = False
                session.auth = auth()
                return [session.get(self.url, timeout=TIMEOUT).status_code for _ in range(times)]

        return deferToThread(run)

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

    async def test_a_challenge_of_one_replica_can_be_answered_at_another(self) -> None:
        def run() -> list[int]:
            with requests.Session() as session:
                session.trust_env = False
                auth = HTTPDigestAuth("admin", PASSWORD)
                return [session.get(url + "/private/x", auth=auth, timeout=TIMEOUT).status_code for url in self.urls * 3]

        self.assertEqual(await deferToThread(run), [200] * 6)
        self.assertEqual(self.decisions, [("digest", "allowed")] * 6)

    async def test_three_replicas_of_a_service_and_two_of_the_auth_service(self) -> None:
        """Each site asks a replica of its own choice; whichever sees an answer a second time refuses it."""
        first = self.authsvc
        self.start_authsvc("two")
        asked: Any = [first, self.authsvc]
        while not all(one.factory.connections for one in asked):  # until each of the two is asked by some site
            self.urls.append(self.start_site())
            await deferToThread(requests.get, self.urls[-1] + "/private/x", timeout=TIMEOUT)

        def run() -> tuple[set[tuple[int, int]], list[tuple[int, bool]]]:
            seen: set[tuple[int, int]] = set()
            replayed: list[tuple[int, bool]] = []
            for number in range(10):  # a new connection each time, the challenge from another site than its answer goes to
                challenger, answerer = self.urls[number % len(self.urls)], self.urls[(number + 1) % len(self.urls)]
                auth = HTTPDigestAuth("admin", PASSWORD)
                requests.get(challenger + "/private/x", auth=auth, timeout=TIMEOUT)
                answer = requests.get(answerer + "/private/x", auth=auth, timeout=TIMEOUT)
                seen.add((answer.status_code, len(answer.history)))
                header = {"Authorization": answer.request.headers["Authorization"]}
                for url in self.urls:
                    again = requests.get(url + "/private/x", headers=header, timeout=TIMEOUT)
                    replayed.append((again.status_code, "stale=true" in again.headers.get("WWW-Authenticate", "")))
            return seen, replayed

        seen, replayed = await deferToThread(run)
        self.assertEqual(seen, {(200, 0)})
        self.assertEqual(set(replayed), {(401, True)})
        await asked[0].stopService()  # the sites that asked it go on with the other, and it knows what the first has seen
        seen, replayed = await deferToThread(run)
        self.assertEqual((seen, set(replayed)), ({(200, 0)}, {(401, True)}))

    async def test_a_replayed_header_and_one_for_another_uri(self) -> None:
        def run() -> list[tuple[int, bool]]:
            with requests.Session() as session:
                session.trust_env = False
                first = session.get(self.url, auth=HTTPDigestAuth("admin", PASSWORD), timeout=TIMEOUT)
                header = {"Authorization": first.request.headers["Authorization"]}
                others = [self.url, self.urls[1] + "/private/x?a=b%20c", self.urls[0] + "/private/secret"]
                answers = [first, *(session.get(url, headers=header, timeout=TIMEOUT) for url in others)]
                return [(one.status_code, "stale=true" in one.headers.get("WWW-Authenticate", "")) for one in answers]

        # Whoever repeats a right answer gets a new nonce, and needs the password to use it.
        self.assertEqual(await deferToThread(run), [(200, False), (401, True), (401, True), (401, False)])

    async def test_an_expired_nonce_costs_a_client_one_more_request(self) -> None:
        await self.authsvc.stopService()
        self.start_authsvc(nonce_lifetime="0.000001")

        def run() -> tuple[int, str]:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(self.url, auth=HTTPDigestAuth("admin", PASSWORD), timeout=TIMEOUT)
                return answer.status_code, answer.headers["WWW-Authenticate"]

        status, challenges = await deferToThread(run)
        self.assertEqual((status, challenges.count("stale=true")), (401, 2))

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

    def from_two_addresses(self) -> "Deferred[list[tuple[int, list[bool]]]]":
        """One client that moves to another address and back: its statuses, and whether it was told `stale` before."""

        def run() -> list[tuple[int, list[bool]]]:
            auth, found = HTTPDigestAuth("admin", PASSWORD), []
            for address in ("127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.1"):
                with requests.Session() as session:
                    session.trust_env = False
                    session.mount("http://", From(address))
                    answer = session.get(self.url, auth=auth, timeout=TIMEOUT)
                told = ["stale=true" in one.headers["WWW-Authenticate"] for one in answer.history]
                found.append((answer.status_code, told))
            return found

        return deferToThread(run)

    async def test_a_nonce_goes_with_its_client_to_another_address(self) -> None:
        expected = [(200, [False]), (200, []), (200, []), (200, [])]
        self.assertEqual(await self.from_two_addresses(), expected)

    async def test_a_nonce_stays_at_its_address_where_that_is_switched_on(self) -> None:
        """The client is told `stale`, and goes on with a new nonce without asking its user."""
        await self.authsvc.stopService()
        self.start_authsvc(nonce_bound="true")
        expected = [(200, [False]), (200, [True]), (200, []), (200, [True])]
        self.assertEqual(await self.from_two_addresses(), expected)

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
