"""Nonces, their counts, and the keys in the file."""

import subprocess
import sys
from pathlib import Path

import pytest
from authsvc.nonces import CLOCK_SKEW, KEY_FILE, WINDOW, NonceLedger, load_keys
from hypothesis import given
from hypothesis import strategies as st
from svckit.auth import Malformed
from svckit.auth.limits import NONCE_LIFETIME
from svckit.auth.nonce import NonceKey
from twisted.internet.task import Clock

KEY, OLD, FOREIGN = NonceKey(b"k" * 32), NonceKey(b"o" * 32), NonceKey(b"f" * 32)
REALM = b"portico"


class Bench:
    def __init__(self, **options: float) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.ledger = NonceLedger((KEY, OLD), self.clock.seconds, **options)  # type: ignore[arg-type]
        self.clock.advance(1)

    def mint(self, key: NonceKey = KEY) -> bytes:
        return key.mint(REALM, self.clock.seconds())

    def use(self, nonce: bytes, count: int = 1) -> bool:
        return self.ledger.use(nonce, self.ledger.open(nonce, REALM), count)


def test_a_count_is_good_once() -> None:
    bench = Bench()
    nonce = bench.mint()
    assert [bench.use(nonce, count) for count in (1, 1, 2, 2, 1, 3)] == [True, False, True, False, False, True]


def test_two_nonces_count_apart() -> None:
    bench = Bench()
    one, other = bench.mint(), bench.mint()
    assert bench.use(one)
    assert bench.use(other)
    assert not bench.use(one)


def test_counts_may_arrive_out_of_order_within_the_window() -> None:
    bench = Bench()
    nonce = bench.mint()
    assert bench.use(nonce, 100)
    for count in range(100 - WINDOW + 1, 100):
        assert bench.use(nonce, count), count
        assert not bench.use(nonce, count), count
    assert not bench.use(nonce, 100 - WINDOW)
    assert bench.use(nonce, 101)
    assert not bench.use(nonce, 101 - WINDOW)


def test_a_leap_costs_nothing_and_closes_the_window_behind_it() -> None:
    bench = Bench()
    nonce = bench.mint()
    assert bench.use(nonce, 1)
    assert bench.use(nonce, 0xFFFFFFFF)
    assert bench.ledger._used[nonce].seen == 1
    assert not bench.use(nonce, 1)
    assert not bench.use(nonce, 0xFFFFFFFF)
    assert bench.use(nonce, 0xFFFFFFFE)


@pytest.mark.parametrize("leap", range(1, WINDOW))
def test_a_leap_within_the_window_forgets_nothing(leap: int) -> None:
    bench = Bench()
    nonce = bench.mint()
    assert bench.use(nonce, 1)
    assert bench.use(nonce, 1 + leap)
    assert not bench.use(nonce, 1)


@given(st.lists(st.integers(1, 200), max_size=300))
def test_no_count_is_ever_taken_twice(counts: list[int]) -> None:
    bench = Bench()
    nonce = bench.mint()
    taken: set[int] = set()
    for count in counts:
        good = bench.use(nonce, count)
        assert good == (count not in taken and (not taken or count > max(taken) - WINDOW))
        if good:
            taken.add(count)
        assert bench.ledger._used[nonce].seen < 1 << WINDOW


def test_a_nonce_expires() -> None:
    bench = Bench()
    nonce = bench.mint()
    assert bench.use(nonce, 1)
    bench.clock.advance(NONCE_LIFETIME)
    assert bench.use(nonce, 2)
    bench.clock.advance(0.001)
    assert not bench.use(nonce, 3)


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


def test_a_restart_does_not_make_used_counts_good_again() -> None:
    """The new process knows nothing of what the old one has seen."""
    bench = Bench()
    nonce = bench.mint()
    assert bench.use(nonce)
    bench.clock.advance(1)
    restarted = NonceLedger((KEY, OLD), bench.clock.seconds)
    assert not restarted.use(nonce, restarted.open(nonce, REALM), 1)
    fresh = bench.mint()
    assert restarted.use(fresh, restarted.open(fresh, REALM), 1)


def test_at_the_limit_what_has_expired_is_forgotten_first() -> None:
    bench = Bench(limit=10)
    for _ in range(10):
        assert bench.use(bench.mint())
    bench.clock.advance(NONCE_LIFETIME + 1)
    kept = bench.mint()
    assert bench.use(kept)
    assert list(bench.ledger._used) == [kept]


def test_at_the_limit_the_older_half_goes_and_cannot_come_back() -> None:
    bench = Bench(limit=10)
    nonces = []
    for _ in range(30):
        bench.clock.advance(0.01)
        nonces.append(bench.mint())
        assert bench.use(nonces[-1])
        assert len(bench.ledger._used) <= 10
    assert [bench.use(nonce) for nonce in nonces] == [False] * 30
    alive = [bench.use(nonce, 2) for nonce in nonces]
    assert alive[-1]
    assert alive == sorted(alive)
    assert 4 <= sum(alive) <= 10


def test_a_flood_within_one_moment_stays_under_the_limit_too() -> None:
    bench = Bench(limit=10)
    nonces = [bench.mint() for _ in range(11)]
    assert [bench.use(nonce) for nonce in nonces] == [True] * 10 + [False]
    assert [bench.use(nonce) for nonce in nonces] == [False] * 11
    assert len(bench.ledger._used) <= 10


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
