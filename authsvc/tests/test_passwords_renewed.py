"""A stored hash of another kind: the right password gets a new one, and nobody waits for it."""

from authsvc.hashing import verify_password
from svckit.auth.commands import Busy
from twisted.logger import capturedLogs

from .support.passwords import Bench


class Renewing(Bench):
    """Alice's hash came from elsewhere."""

    def __init__(self) -> None:
        self.renewed: list[tuple[bytes, str, str]] = []
        super().__init__(rehash=self.rehash)
        self.fault: Exception | None = None

    async def rehash(self, user: bytes, old: str, new: str) -> None:
        if self.fault is not None:
            raise self.fault
        self.renewed.append((user, old, new))
        self.stored[user] = new


def test_the_right_password_makes_a_new_hash() -> None:
    bench = Renewing()
    assert not bench.check(password=b"nope")
    assert bench.renewed == []
    assert bench.check()
    ((user, old, new),) = bench.renewed
    assert (user, old) == (b"alice", "hash-of-wonderland")
    assert verify_password(new, b"wonderland")
    bench.checks._verify = verify_password
    for _ in range(2):
        assert bench.check()
    assert len(bench.renewed) == 1


def test_a_login_does_not_wait_for_the_new_hash_or_fail_with_it() -> None:
    bench = Renewing()
    bench.fault = Busy()
    with capturedLogs() as events:
        answer = bench.checks.check(b"alice", b"wonderland", bench.stored[b"alice"])
        bench.queue.pop(0)()
        assert answer.result is True
        assert len(bench.queue) == 1
        bench.run()
    assert [event["log_failure"].type for event in events if event.get("log_failure")] == [Busy]
