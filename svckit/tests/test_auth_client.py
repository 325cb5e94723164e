"""The connection to an auth service, over real Unix sockets; time is a Clock's."""

import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from auth_client_support import Replicas
from svckit.auth import commands
from svckit.auth.client import ATTEMPTS, CALL_TIMEOUT, REPLICA_TIMEOUT, AuthClient
from svckit.auth.errors import AuthUnavailable
from svckit.auth.nonce import NonceKey
from svckit.auth.terms import Terms
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase


class ClientTests(TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="auth"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock = Clock()
        self.client = self.make_client()
        self.addCleanup(self.client.close)

    def make_client(self, **options: Any) -> AuthClient:
        """One that draws the sockets in the order of their names."""
        ticks = itertools.count()
        return AuthClient(self.folder, reactor, service="static", clock=self.clock, draw=ticks.__next__, **options)

    def listen(self, name: str) -> Replicas:
        replica = Replicas(name.encode())
        port = reactor.listenUNIX(str(self.folder / f"{name}.sock"), replica)  # type: ignore[attr-defined]

        async def stop() -> None:
            if port.connected:
                await port.stopListening()
            for connection in replica.connections:
                if connection.transport is not None:
                    connection.transport.loseConnection()
                await connection.gone

        replica.stop = stop
        self.addCleanup(lambda: Deferred.fromCoroutine(stop()))
        return replica

    def ask(self, user: bytes = b"alice") -> "Deferred[Any]":
        call = self.client.call(commands.CheckPassword, user=user, password=b"x", method=b"", uri=b"", client=b"")
        return Deferred.fromCoroutine(call).addCallback(lambda answer: answer["avatar"])

    async def test_it_greets_and_asks(self) -> None:
        replica = self.listen("a")
        self.assertEqual(await self.ask(), b"a knows alice")
        self.assertEqual(replica.greeted, [(commands.VERSION, "static")])
        self.assertEqual((await self.client.terms()).key, NonceKey(b"a" * 32))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_one_connection_serves_all(self) -> None:
        replica = self.listen("a")
        answers = await gatherResults([self.ask(b"%d" % number) for number in range(50)])
        self.assertEqual(answers, [b"a knows %d" % number for number in range(50)])
        self.assertEqual(len(replica.connections), 1)

    async def test_clients_spread_over_the_replicas_and_stay_where_they_are(self) -> None:
        for name in ("a", "b", "c"):
            self.listen(name)
        asked = []
        for number in range(6):  # each draws one number for each of the three sockets, and takes the lowest
            drawn = iter([(number + step) % 3 for step in range(3)])
            client = AuthClient(self.folder, reactor, clock=self.clock, draw=drawn.__next__)
            self.addCleanup(client.close)
            first = (await client.terms()).key.secret
            self.assertEqual((await client.terms()).key.secret, first)
            asked.append(first[:1])
        self.assertEqual(sorted(asked), [b"a", b"a", b"b", b"b", b"c", b"c"])

    async def test_without_being_told_how_it_draws_at_random(self) -> None:
        client = AuthClient(self.folder, reactor)
        self.assertGreater(len({client._draw() for _ in range(10)}), 1)

    async def test_no_folder_and_an_empty_one(self) -> None:
        for folder in (self.folder, self.folder / "missing"):
            client = AuthClient(folder, reactor, clock=self.clock)
            with self.assertRaises(AuthUnavailable):
                await client.terms()
            with self.assertRaises(AuthUnavailable):
                await client.call(commands.CheckPassword, user=b"a", password=b"b", method=b"", uri=b"", client=b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_a_socket_that_nobody_listens_on_is_passed_over(self) -> None:
        dead = self.listen("a")
        (self.folder / "kept").hardlink_to(self.folder / "a.sock")
        await dead.stop()
        (self.folder / "kept").rename(self.folder / "a.sock")
        with self.assertRaisesRegex(AuthUnavailable, "a: ConnectionRefused"):
            await self.ask()
        self.listen("b")
        self.assertEqual(await self.ask(), b"b knows alice")

    async def test_something_else_among_the_sockets(self) -> None:
        (self.folder / "a.sock").write_text("not a socket")
        (self.folder / "b.other").write_text("no name of a socket")
        self.listen("c")
        self.assertEqual(await self.ask(), b"c knows alice")

    async def test_it_finds_the_service_that_was_started_again(self) -> None:
        first = self.listen("a")
        self.assertEqual(await self.ask(), b"a knows alice")
        await first.stop()
        with self.assertRaises(AuthUnavailable):
            await self.ask()
        self.listen("a")
        self.assertEqual(await self.ask(), b"a knows alice")

    async def test_a_call_whose_replica_dies_is_asked_elsewhere(self) -> None:
        dying, other = self.listen("a"), self.listen("b")
        dying.silent = True
        dying.when_asked = lambda replica: replica.transport.abortConnection()
        self.assertEqual(await self.ask(), b"b knows alice")
        self.assertEqual((dying.asked, other.asked), ([b"alice"], [b"alice"]))

    async def test_a_replica_that_dies_at_every_question_is_given_up(self) -> None:
        dying = self.listen("a")
        dying.silent = True
        dying.when_asked = lambda replica: replica.transport.abortConnection()
        with self.assertRaises(AuthUnavailable):
            await self.ask()
        self.assertEqual(dying.asked, [b"alice"] * ATTEMPTS)

    async def test_a_silent_replica_is_left_for_another(self) -> None:
        silent = self.listen("a")
        self.listen("b")
        silent.silent = True
        silent.when_asked = lambda replica: self.clock.callLater(0, lambda: None)
        call = self.ask()
        while not silent.asked:
            await deferLater(reactor, 0)
        self.clock.advance(REPLICA_TIMEOUT)
        self.assertEqual(await call, b"b knows alice")
        self.assertEqual(await self.ask(b"bob"), b"b knows bob")
        self.assertEqual(silent.asked, [b"alice"])

    async def test_a_replica_that_does_not_greet_is_left_for_another(self) -> None:
        deaf = self.listen("a")
        self.listen("b")
        deaf.deaf = True
        call = self.ask()
        while not deaf.greeted:
            await deferLater(reactor, 0)
        self.clock.advance(REPLICA_TIMEOUT)
        self.assertEqual(await call, b"b knows alice")

    async def test_a_call_ends_in_time_whatever_happens(self) -> None:
        silent = self.listen("a")
        silent.silent = True
        self.client = self.make_client(replica_timeout=1000)
        self.addCleanup(self.client.close)
        call = self.ask()
        while not silent.asked:
            await deferLater(reactor, 0)
        self.clock.advance(CALL_TIMEOUT - 0.1)
        self.assertFalse(call.called)
        self.clock.advance(0.1)
        with self.assertRaisesRegex(AuthUnavailable, "5 s"):
            await call
        silent.silence.callback({"avatar": b"too late"})

    async def test_refusals_come_through_and_faults_are_unavailable(self) -> None:
        replica = self.listen("a")
        with self.assertRaises(commands.Denied):
            await self.ask(b"nobody")
        with self.assertRaisesRegex(AuthUnavailable, "a: b'UNKNOWN'"):
            await self.ask(b"bug")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(replica.asked, [b"nobody", b"bug"])
        self.assertEqual(await self.ask(), b"a knows alice")

    async def test_another_version_of_the_wire(self) -> None:
        self.listen("a").wrong_version = True
        with self.assertRaisesRegex(AuthUnavailable, "a: WrongVersion"):
            await self.ask()

    async def test_closed_while_connecting(self) -> None:
        deaf = self.listen("a")
        deaf.deaf = True
        call = self.ask()
        while not deaf.greeted:
            await deferLater(reactor, 0)
        self.client.close()
        with self.assertRaisesRegex(AuthUnavailable, "closed"):
            await call
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_the_terms_are_those_of_the_auth_service(self) -> None:
        self.listen("a")
        terms = Terms(NonceKey(b"a" * 32), ("MD5", "SHA-256"), ("basic",), bound=True)
        self.assertEqual(await self.client.terms(), terms)  # and nothing unheard of

    async def test_it_does_not_connect_before_it_is_asked(self) -> None:
        replica = self.listen("a")
        await deferLater(reactor, 0)
        self.assertEqual(replica.connections, [])
        await self.ask()
        self.assertEqual(len(replica.connections), 1)
