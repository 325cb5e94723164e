"""Logins as clients make them: each on a connection of its own, and with a nonce of its own where there is one."""

import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from ..support.browser import Browser
from ..support.programs import program
from ..support.site import Site

__all__ = ["PAGE", "User", "by_browser", "log_in"]

PAGE = "/static/private/"
AT_A_TIME = 4


@dataclass(frozen=True)
class User:
    name: str
    password: str


def _curl(site: Site, user: User, scheme: str) -> int:
    """The password goes by standard input, as a command line is for all to see; curl takes the first challenge: SHA-256."""
    command = [program("curl"), "-sS", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", scheme, "-K", "-", site.url + PAGE]
    login = f'user = "{user.name}:{user.password}"\n'
    return int(subprocess.run(command, input=login, capture_output=True, text=True, check=True, timeout=60).stdout)


def _requests(site: Site, user: User, scheme: type[HTTPBasicAuth] | type[HTTPDigestAuth]) -> int:
    """requests takes the last challenge of Digest: MD5."""
    login = scheme(user.name, user.password)
    return requests.get(site.url + PAGE, auth=login, headers={"Connection": "close"}, timeout=30).status_code


WAYS: dict[str, Callable[[Site, User], int]] = {
    "curl, Basic": lambda site, user: _curl(site, user, "--basic"),
    "curl, Digest by SHA-256": lambda site, user: _curl(site, user, "--digest"),
    "requests, Basic": lambda site, user: _requests(site, user, HTTPBasicAuth),
    "requests, Digest by MD5": lambda site, user: _requests(site, user, HTTPDigestAuth),
}


def log_in(site: Site, user: User, times: int) -> Counter[tuple[str, int]]:
    """So many logins by each way in turn; how often each way has come to each status."""

    def once(number: int) -> tuple[str, int]:
        name = list(WAYS)[number % len(WAYS)]
        return name, WAYS[name](site, user)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return Counter(pool.map(once, range(times)))


def by_browser(site: Site, user: User, browser: Browser, times: int) -> Counter[tuple[str, int]]:
    """The same by Chromium, with a profile of its own for each login; it takes the first challenge, too."""
    found: Counter[tuple[str, int]] = Counter()
    for _ in range(times):
        browser.renew()
        browser.log_in_as(user.name, user.password)
        browser.open(site.url + PAGE)
        status = browser.run("performance.getEntriesByType('navigation')[0].responseStatus")
        assert isinstance(status, int)
        found["Chromium, Digest by SHA-256", status] += browser.dialogues == 1
    return found
