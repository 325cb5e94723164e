"""Nonces, their counts, and the keys in the file."""

import subprocess
import sys
from pathlib import Path

import pytest
from authsvc.nonces import CLOCK_SKEW, ID_BYTES, KEY_FILE, NonceLedger, load_keys
from svckit.auth import Malformed
from svckit.auth.limits import NONCE_LIFETIME
from svckit.auth.nonce import NonceKey
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

KEY, OLD, FOREIGN = NonceKey(b"k" * 32), NonceKey(b"o" * 32), NonceKey(b"f" * 32)
REALM = b"portico"


class Bench:
    """A ledger whose counts are in the memory of `used`."""

    def __init__(self, bound: bool = False) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.used: set[tuple[bytes, int]] = set()
        self.asked: list[tuple[bytes, int, int]] = []
        self.ledger = NonceLedger((KEY, OLD), self.clock.seconds, self.use_count, bound=bound)

    async def use_count(self, nonce: bytes, count: int, minted: int) -> bool:
        self.asked.append((nonce, count, minted))
        new = (nonce, count) not in self.used
        self.used.add((nonce, count))
        return new

    def mint(self, key: NonceKey = KEY, client: bytes | None = None) -> bytes:
        return key.mint(REALM, self.clock.seconds(), client=client)

    def use(self, nonce: bytes, count: int = 1, client: bytes = b"") -> bool:
        results: list[bool] = []
        using = self.ledger.use(nonce, self.ledger.open(nonce, REALM, client), count)
        Deferred.fromCoroutine(using).addCallback(results.append)
        (result,) = results
        return result


def test_a_count_is_good_once() -> None:
    bench = Bench()
    nonce = bench.mint()
    assert [bench.use(nonce, count) for count in (1, 1, 2, 2, 1, 3)] == [True, False, True, False, False, True]


def test_counts_are_told_by_the_nonces_own_parts_and_when_it_was_minted() -> None:
    bench = Bench()
    one, other = bench.mint(), bench.mint()
    assert bench.use(one, 7)
    assert bench.use(other, 7)
    (first, _, minted), (second, count, _) = bench.asked
    assert first[:4] == KEY.id
    assert len(first) == len(second) == ID_BYTES
    assert first != second
    assert (count, minted) == (7, 1_000_000)


def test_a_nonce_expires_and_its_counts_are_not_looked_at() -> None:
    bench = Bench()
    nonce = bench.mint()
    bench.clock.advance(NONCE_LIFETIME)
    assert bench.use(nonce, 2)
    bench.clock.advance(0.001)
    assert not bench.use(nonce, 3)
    assert len(bench.asked) == 1


def test_whatever_is_older_than_the_oldest_is_not_good() -> None:
    bench = Bench()
    bench.clock.advance(NONCE_LIFETIME)
    minted = bench.ledger.oldest / 1000
    assert minted < bench.clock.seconds() - NONCE_LIFETIME
    assert not bench.use(KEY.mint(REALM, minted))


def test_a_nonce_from_the_future() -> None:
    bench = Bench()
    assert bench.use(KEY.mint(REALM, bench.clock.seconds() + CLOCK_SKEW))
    assert not bench.use(KEY.mint(REALM, bench.clock.seconds() + CLOCK_SKEW + 1))


def test_keys_that_were_and_keys_that_never_were() -> None:
    bench = Bench()
    assert bench.ledger.key == KEY
    assert bench.use(bench.mint(OLD))
    assert not bench.use(bench.mint(FOREIGN))
    forged = bytearray(bench.mint())
    forged[-1] ^= 1
    with pytest.raises(Malformed):
        bench.use(bytes(forged))
    with pytest.raises(Malformed):
        bench.ledger.open(bench.mint(), b"another realm")


def test_a_nonce_is_not_tied_to_an_address_unless_that_is_switched_on() -> None:
    bench = Bench()
    nonce = bench.mint()
    assert bench.use(nonce, 1, b"192.0.2.1")
    assert bench.use(nonce, 2, b"192.0.2.2")
    tied = bench.mint(client=b"192.0.2.1")  # by a service that has not heard yet that it is switched off
    assert bench.use(tied, 1, b"192.0.2.2")


def test_a_nonce_is_good_for_its_own_address_where_that_is_switched_on() -> None:
    bench = Bench(bound=True)
    nonce = bench.mint(client=b"192.0.2.1")
    assert not bench.use(nonce, 1, b"192.0.2.2")
    assert bench.asked == []  # and the count is still there for its owner
    assert bench.use(nonce, 1, b"192.0.2.1")
    assert not bench.use(nonce, 1, b"192.0.2.1")
    assert not bench.use(bench.mint(), 1, b"192.0.2.1")  # one that is tied to nobody


# -- keys


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (key,) = load_keys(state)
    assert load_keys(state) == (key,)
    assert (state / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in state.iterdir()] == [KEY_FILE]
    assert load_keys(tmp_path / "other") != (key,)


def test_the_first_key_is_in_use_and_the_rest_are_still_good(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text(f"{KEY.secret.hex()}\n\n{OLD.secret.hex()}\n")
    assert load_keys(tmp_path) == (KEY, OLD)


def test_keys_that_hosts_share_are_read_and_never_made(tmp_path: Path) -> None:
    given = tmp_path / "secret"
    with pytest.raises(FileNotFoundError):
        load_keys(tmp_path / "state", given)
    given.write_text(f"{KEY.secret.hex()}\n")
    assert load_keys(tmp_path / "state", given) == (KEY,)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("text", ["", "\n", "zz", "00" * 31, "00" * 33, "00" * 32 + "\n00", "ä"])
def test_a_file_that_has_no_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(ValueError, match=f"{KEY_FILE}: expected lines of 64 hex digits"):
        load_keys(tmp_path)


def test_replicas_that_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from authsvc.nonces import load_keys\n"
        "sys.stdin.read(1); print(load_keys(Path(sys.argv[1]))[0].secret.hex())"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"x")
        child.stdin.flush()
    outputs = {child.communicate(timeout=60)[0] for child in children}
    assert len(outputs) == 1
    assert len(outputs.pop()) == 65
