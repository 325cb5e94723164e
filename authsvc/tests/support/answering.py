"""The answering side of the auth wire: AMP boxes through a pump, a checker that knows one user, and a Clock."""

import hashlib
from collections.abc import Sequence
from typing import Any

from authsvc.nonces import NonceLedger
from authsvc.server import AuthFactory
from authsvc.throttle import Pace, Throttle
from svckit.auth import commands
from svckit.auth.digest import make_ha1
from svckit.auth.nonce import NonceKey
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent
from twisted.protocols.amp import AMP
from twisted.test.iosim import FakeTransport, connect

from tests.support.alice import KnowsAlice

KEY = NonceKey(b"k" * 32)
NOTHING = {"method": b"", "uri": b"", "client": b""}


class Bench:
    def __init__(self, log: Sequence[LogEvent]) -> None:
        self.log = log
        self.clock = Clock()
        self.clock.advance(1000)
        self.checker = KnowsAlice()
        self.used: set[tuple[bytes, int]] = set()
        self.throttle = Throttle(self.clock, Pace(5, 10.0), Pace(20, 2.0))
        self.forbidden: set[tuple[bytes, bytes, bytes]] = set()
        ledger = NonceLedger((KEY,), self.clock.seconds, self.use_count)
        self.factory = AuthFactory(self.checker, ledger, self.throttle, self.allows)
        self.server: Any = self.factory.buildProtocol(None)
        self.client = AMP()
        self.pump: Any = connect(
            self.server, FakeTransport(self.server, isServer=True), self.client, FakeTransport(self.client, isServer=False)
        )

    async def use_count(self, nonce: bytes, count: int, minted: int) -> bool:
        new = (nonce, count) not in self.used
        self.used.add((nonce, count))
        return new

    async def allows(self, user: bytes, method: bytes, target: bytes) -> bool:
        return (user, method, target) not in self.forbidden

    def call(self, command: Any, **arguments: Any) -> Any:
        results: list[Any] = []
        if command is commands.CheckPassword:
            arguments = {**NOTHING, **arguments}
        self.client.callRemote(command, **arguments).addBoth(results.append)
        self.pump.flush()
        (result,) = results
        return getattr(result, "value", result)

    def digest(self, **changes: Any) -> Any:
        """A right answer to a new challenge, but for what is changed afterwards."""
        nonce = changes.pop("nonce", None) or KEY.mint(b"portico", self.clock.seconds())
        method, uri, nc = changes.get("method", b"GET"), changes.get("uri", b"/x"), changes.get("nc", 1)
        ha2 = hashlib.sha256(method + b":" + uri).hexdigest().encode()
        ha1 = make_ha1("SHA-256", changes.get("user", b"alice"), b"portico", changes.pop("password", b"wonderland"))
        response = hashlib.sha256(b":".join([ha1, nonce, b"%08x" % nc, b"c", b"auth", ha2])).hexdigest().encode()
        arguments = {
            "user": b"alice",
            "realm": b"portico",
            "algorithm": b"SHA-256",
            "method": method,
            "uri": uri,
            "nonce": nonce,
            "nc": nc,
            "cnonce": b"c",
            "response": response,
            "client": b"192.0.2.1",
        }
        return self.call(commands.CheckDigest, **{**arguments, **changes})

    @property
    def decisions(self) -> list[str]:
        return [formatEvent(event) for event in self.log if "outcome" in event]
