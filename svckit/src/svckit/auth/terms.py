"""What the auth service wants offered to clients; it says so when a service greets it, and it is the same for all services."""

from dataclasses import dataclass, field
from typing import Any

from . import basic, digest
from .digest import ALGORITHMS
from .nonce import NonceKey

__all__ = ["SCHEMES", "Terms"]

SCHEMES = ("digest", "basic")
"""In the order in which they are offered unless the auth service says otherwise."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a challenge is made of."""

    key: NonceKey = field(repr=False)
    """To mint nonces under."""
    algorithms: tuple[str, ...] = tuple(ALGORITHMS)
    """Of Digest, in the order in which they are offered."""
    schemes: tuple[str, ...] = SCHEMES
    """The schemes, in the order in which they are offered; no other is taken."""
    bound: bool = False
    """Whether a nonce is for the client that it was made for, and no other address."""

    @classmethod
    def of(cls, answer: dict[str, Any]) -> "Terms":
        """Those in the answer to a `Hello`, by its names; algorithms and schemes that are not known here are left out."""
        return cls(
            NonceKey(answer["key"]),
            _known(answer["algorithms"], tuple(ALGORITHMS)),
            _known(answer["schemes"], SCHEMES),
            answer["bound"],
        )

    def challenges(self, realm: bytes, now: float, client: bytes, *, stale: bool = False) -> list[bytes]:
        """The values of WWW-Authenticate, with one new nonce; `now` in seconds since 1970, `client` the client's address."""
        made: list[bytes] = []
        for scheme in self.schemes:
            if scheme == "basic":
                made.append(basic.challenge(realm))
            else:
                nonce = self.key.mint(realm, now, client=client if self.bound else None)
                made += [digest.challenge(name, realm, nonce, stale=stale) for name in self.algorithms]
        return made


def _known(names: bytes, known: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names.decode("ascii", "replace").split(",") if name in known)
