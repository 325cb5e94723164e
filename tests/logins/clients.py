"""Logins as clients make them: each on a connection of its own, and with a nonce of its own where there is one."""

import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from ..support.browser import Browser
from ..support.programs import program
from ..support.site import Site

__all__ = ["OFFERS", "PAGE", "Offer", "User", "by_browser", "log_in"]

PAGE = "/static/private/"
AT_A_TIME = 4

Scheme = tuple[str, str]
"""As the auth service logs it: `basic` or `digest`, and the algorithm of the latter."""
BASIC, SHA, MD5 = ("basic", ""), ("digest", "SHA-256"), ("digest", "MD5")


@dataclass(frozen=True)
class User:
    name: str
    password: str


def _curl(site: Site, user: User, flag: str) -> int:
    """The password goes by standard input, as a command line is for all to see."""
    command = [program("curl"), "-sS", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", flag, "-K", "-", site.url + PAGE]
    login = f'user = "{user.name}:{user.password}"\n'
    return int(subprocess.run(command, input=login, capture_output=True, text=True, check=True, timeout=60).stdout)


def _requests(site: Site, user: User, scheme: type[HTTPBasicAuth] | type[HTTPDigestAuth]) -> int:
    login = scheme(user.name, user.password)
    return requests.get(site.url + PAGE, auth=login, headers={"Connection": "close"}, timeout=30).status_code


@dataclass(frozen=True)
class Way:
    """How one client logs in."""

    client: str
    scheme: Scheme
    log_in: Callable[[Site, User], int]
    """The status that it comes to."""

    @property
    def name(self) -> str:
        return _name(self.client, self.scheme)


def _name(client: str, scheme: Scheme) -> str:
    return f"{client}, {scheme[0].capitalize()} {scheme[1]}".strip()


def _by_curl(scheme: Scheme, flag: str) -> Way:
    return Way("curl", scheme, lambda site, user: _curl(site, user, flag))


def _by_requests(scheme: Scheme, kind: type[HTTPBasicAuth] | type[HTTPDigestAuth]) -> Way:
    return Way("requests", scheme, lambda site, user: _requests(site, user, kind))


@dataclass(frozen=True)
class Offer:
    """What the auth service offers, and how clients log in there.

    curl and Chromium take the first challenge of Digest, requests the last.
    """

    schemes: str
    algorithms: str
    ways: Sequence[Way]
    browser: Scheme
    """What Chromium does: the strongest scheme that there is."""


OFFERS = {
    "as it comes": Offer(
        "digest,basic",
        "SHA-256,MD5",
        [
            _by_curl(BASIC, "--basic"),
            _by_curl(SHA, "--digest"),
            _by_requests(BASIC, HTTPBasicAuth),
            _by_requests(MD5, HTTPDigestAuth),
        ],
        SHA,
    ),
    "MD5 first": Offer("digest,basic", "MD5,SHA-256", [_by_curl(MD5, "--digest"), _by_requests(SHA, HTTPDigestAuth)], MD5),
    "Basic alone": Offer("basic", "SHA-256,MD5", [_by_curl(BASIC, "--anyauth"), _by_requests(BASIC, HTTPBasicAuth)], BASIC),
}
"""So that each client logs in by each scheme that it knows."""

Count = Counter[tuple[str, Scheme, int]]
"""How often each way has come to each status."""


def log_in(site: Site, user: User, offer: Offer, times: int) -> Count:
    """So many logins by each way of an offer in turn."""

    def once(number: int) -> tuple[str, Scheme, int]:
        way = offer.ways[number % len(offer.ways)]
        return way.name, way.scheme, way.log_in(site, user)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return Counter(pool.map(once, range(times)))


def by_browser(site: Site, user: User, offer: Offer, browser: Browser, times: int) -> Count:
    """The same by Chromium, with a profile of its own for each login."""
    found: Count = Counter()
    for _ in range(times):
        browser.renew()
        browser.log_in_as(user.name, user.password)
        browser.open(site.url + PAGE)
        status = browser.run("performance.getEntriesByType('navigation')[0].responseStatus")
        assert isinstance(status, int)
        found[_name("Chromium", offer.browser), offer.browser, status] += browser.dialogues == 1
    return found
