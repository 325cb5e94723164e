"""Password checks with threads that are only pretended, and a Clock."""

from collections.abc import Callable
from typing import Any

from authsvc.passwords import PasswordChecks
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock


class Bench:
    """A user (alice, whose stored hash is `hash-of-wonderland`) and threads that run when told."""

    def __init__(self, **options: Any) -> None:
        self.stored = {b"alice": "hash-of-wonderland"}
        self.clock = Clock()
        self.queue: list[Callable[[], None]] = []
        self.verified: list[tuple[str, bytes]] = []
        self.checks = PasswordChecks(self.run_in_thread, self.clock, verify=self.verify, **options)

    def verify(self, stored: str, password: bytes) -> bool:
        self.verified.append((stored, password))
        if stored == "broken":
            raise ValueError("the stored hash is no argon2 hash")
        return stored == f"hash-of-{password.decode()}"

    def run_in_thread(self, function: Any, *arguments: Any) -> "Deferred[bool]":
        result: Deferred[bool] = Deferred()

        def run() -> None:
            try:
                result.callback(function(*arguments))
            except Exception:
                result.errback()

        self.queue.append(run)
        return result

    def run(self) -> None:
        while self.queue:
            self.queue.pop(0)()

    def check(self, user: bytes = b"alice", password: bytes = b"wonderland") -> bool:
        results: list[Any] = []
        self.checks.check(user, password, self.stored.get(user)).addBoth(results.append)
        self.run()
        assert len(results) == 1
        assert isinstance(results[0], bool)
        return results[0]
