"""Which nonces are good, and which of their counts have been used.

A client counts its requests with a nonce (nc), and each count is good for one request (RFC 7616 section 3.4.5). Browsers send
on several connections, so counts arrive out of order, and at several replicas: `counts` has them in the database.

The keys are in the state folder, which the replicas of one host share, or in a file that hosts share. A nonce of a key that
is not known here is `stale`, not refused: the client gets a new one and goes on without asking its user.
"""

import base64
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from svckit.auth.limits import NONCE_LIFETIME
from svckit.auth.nonce import KEY_BYTES, Nonce, NonceKey, open_nonce

__all__ = ["KEY_FILE", "NonceLedger", "load_keys"]

KEY_FILE = "nonce.keys"
"""Name of the file in the state folder, mode 0600. One key a line, in hex: the first is used, the others are still accepted."""

CLOCK_SKEW = 5.0
"""Seconds that a clock may be ahead of another one's."""

ID_BYTES = 20
"""Of a nonce: key id, time and random, all that tells it from others."""


def load_keys(state: Path, given: Path | None = None) -> tuple[NonceKey, ...]:
    """The keys in the file `given`; else those in the folder `state`, made by whichever replica is there first.

    Raises:
        OSError: the file `given` cannot be read.
        ValueError: the file is not what it should be.
    """
    path = state / KEY_FILE if given is None else given
    if given is None and not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        draft = state / f".{KEY_FILE}.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(KEY_BYTES) + "\n")
            path.hardlink_to(draft)  # fails where another replica was faster, and never shows half a file
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        keys = [bytes.fromhex(line) for line in path.read_text("ascii").splitlines() if line.strip()]
    except ValueError:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"{path}: expected lines of {2 * KEY_BYTES} hex digits")
    return tuple(NonceKey(key) for key in keys)


class NonceLedger:
    """Opens nonces, and uses up their counts. `now` gives seconds since 1970."""

    def __init__(
        self,
        keys: tuple[NonceKey, ...],
        now: Callable[[], float],
        use_count: Callable[[bytes, int, int], Awaitable[bool]],
        *,
        lifetime: float = NONCE_LIFETIME,
        bound: bool = False,
    ) -> None:
        """`use_count` is `Counts.use`, called elsewhere than on the reactor thread.

        With `bound` a nonce is good for the address alone that it was made for.
        """
        self._keys = keys
        self._now = now
        self._use_count = use_count
        self._lifetime = lifetime
        self.bound = bound

    @property
    def key(self) -> NonceKey:
        """The key to mint with."""
        return self._keys[0]

    @property
    def oldest(self) -> int:
        """Milliseconds since 1970: no nonce minted before is good, not even by a clock that is a little behind ours."""
        return int((self._now() - self._lifetime - CLOCK_SKEW) * 1000)

    def open(self, nonce: bytes, realm: bytes, client: bytes = b"") -> Nonce:
        """A nonce that came from the address `client`. Raises: svckit.auth.Malformed: no nonce, or a forged one."""
        return open_nonce(nonce, realm, self._keys, client)

    async def use(self, nonce: bytes, opened: Nonce, count: int) -> bool:
        """Use up `count` of a nonce. False: it is stale, or another address's, or the count was used before.

        To be called for right answers only: a wrong one must not use up anything.
        """
        now = self._now()
        if not opened.known or not now - self._lifetime <= opened.minted <= now + CLOCK_SKEW:
            return False
        if self.bound and not opened.at_home:
            return False
        return await self._use_count(base64.urlsafe_b64decode(nonce)[:ID_BYTES], count, round(opened.minted * 1000))
