"""Answers to a Digest challenge that must not be taken, made by hand from RFC 7616."""

import hashlib
import re
import time
from collections.abc import Mapping

import requests
from svckit.auth.nonce import KEY_BYTES, NonceKey

from ..support.compose import Compose, inside
from ..support.site import Site
from .clients import PAGE, User

__all__ = ["REALM", "make_ha1", "try_refusals"]

REALM = "portico"
HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}


def make_ha1(algorithm: str, user: User) -> str:
    return HASHES[algorithm](f"{user.name}:{REALM}:{user.password}".encode()).hexdigest()


def answer_to(nonce: str, algorithm: str, user: User, uri: str = PAGE, said: Mapping[str, str] = {}) -> dict[str, str]:
    """The header; what is in `said` is told otherwise than it was reckoned with."""

    def digest(*parts: str) -> str:
        return HASHES[algorithm](":".join(parts).encode()).hexdigest()

    response = digest(make_ha1(algorithm, user), nonce, "00000001", "cnonce", "auth", digest("GET", uri))
    told = {"nonce": nonce, "nc": "00000001", "uri": uri, **said}
    return {
        "Authorization": f'Digest username="{user.name}", realm="{REALM}", nonce="{told["nonce"]}", uri="{told["uri"]}", '
        f'cnonce="cnonce", nc={told["nc"]}, qop=auth, response="{response}", algorithm={algorithm}'
    }


def try_refusals(compose: Compose, site: Site, user: User) -> dict[str, list[str]]:
    """What came of each, for each algorithm: the status, with `stale` where the client is told to go on with a new nonce."""
    found: dict[str, list[str]] = {}
    for algorithm in HASHES:

        def ask(header: dict[str, str]) -> str:
            answer = requests.get(site.url + PAGE, headers={**header, "Connection": "close"}, timeout=30)
            stale = "stale=true" in answer.headers.get("WWW-Authenticate", "")
            return f"{answer.status_code}{' stale' if stale else ''}"

        def nonce() -> str:
            challenge = requests.get(site.url + PAGE, timeout=30).headers["WWW-Authenticate"]
            found = re.search(r'nonce="([^"]+)"', challenge)
            assert found is not None
            return found[1]

        once = answer_to(nonce(), algorithm, user)
        tries = {
            "a right answer": once,
            "the same once more": once,
            "another nc": answer_to(nonce(), algorithm, user, said={"nc": "00000002"}),
            "another URI": answer_to(nonce(), algorithm, user, uri="/static/private/other"),
            "a tampered nonce": answer_to(_tampered(nonce()), algorithm, user),
            "an expired nonce": answer_to(_expired(compose), algorithm, user),
        }
        for name, header in tries.items():
            found.setdefault(name, []).append(ask(header))
    return found


def _tampered(nonce: str) -> str:
    """Another time in it, and the same seal."""
    return nonce[:8] + ("A" if nonce[8] != "A" else "B") + nonce[9:]


def _expired(compose: Compose) -> str:
    """As the auth service would have made it ten minutes ago."""
    line = inside(compose.containers("authsvc")[0], "print(open('/state/nonce.keys').read())").split()[0]
    key = NonceKey(bytes.fromhex(line))
    assert len(key.secret) == KEY_BYTES
    return key.mint(REALM.encode(), time.time() - 600).decode()
