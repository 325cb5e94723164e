"""The nonces of Digest, with real clients: whoever made one, whoever is asked, and whoever uses it again."""

from typing import Any

import requests
from requests.auth import HTTPDigestAuth
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from .support.logins import PASSWORD, TIMEOUT, From, LoginCase


class NonceTests(LoginCase):
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
