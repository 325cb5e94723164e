"""The parts of the show, each a text for people and a list of what was wrong."""

import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from ..support.browser import Browser
from ..support.compose import Compose
from ..support.programs import program
from ..support.site import Site
from .clients import PAGE, Offer, User, by_browser, log_in
from .flood import flood
from .refusals import try_refusals
from .secrets import needles, search_images, search_inspect, search_logs, search_memory, search_process_lists

__all__ = ["Part", "add_user", "of_guesses", "of_logins", "of_refusals", "of_secrets", "offering", "replicas"]

Part = tuple[str, list[str]]
"""What has been seen, and what of it should not be."""

SECONDS_FOR_LOG = 10.0
"""For the last lines to get there."""

Decisions = Counter[tuple[object, ...]]
"""How often the auth service has decided what: by scheme, algorithm and outcome."""

SETTLE = 3.0
"""Seconds after the last login, until memory is looked at."""


@contextmanager
def replicas(compose: Compose) -> Iterator[None]:
    """Three of static and two of authsvc."""
    try:
        compose.scale("static", 3)
        compose.scale("authsvc", 2)
        yield
    finally:
        compose.scale("authsvc", 1)
        compose.scale("static", 1)


def add_user(compose: Compose) -> User:
    """A user of a fresh name; the password goes by a pipe."""
    user = User(f"user-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex)
    container = compose.containers("authsvc")[0]
    compose.give(container, user.password, "authsvc", "user", "add", user.name, "--password-file", "/dev/stdin")
    return user


@contextmanager
def offering(compose: Compose, offer: Offer) -> Iterator[None]:
    """Two replicas of authsvc that offer something else."""
    up = ["up", "--no-build", "--no-deps", "--wait", "--scale", "authsvc=2", "authsvc"]
    more = {
        "COMPOSE_FILE": os.pathsep.join(["docker-compose.yml", "tests/logins/offers.yml"]),
        "LOGINS_SCHEMES": offer.schemes,
        "LOGINS_ALGORITHMS": offer.algorithms,
    }
    compose.environment.update(more)
    try:
        compose.call(*up, seconds=120)
        yield
    finally:
        for name in more:
            del compose.environment[name]
        compose.call(*up, seconds=120)


def of_logins(
    site: Site, user: User, offer: Offer, times: int, by_chromium: int, log: Callable[[], Iterable[dict[str, object]]]
) -> Part:
    """So many logins by curl and requests, and by Chromium; `log` is what the auth service has logged so far."""
    began = time.monotonic()
    statuses = log_in(site, user, offer, times)
    if by_chromium:
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder, Browser(program("chromium"), Path(folder)) as browser:
            statuses += by_browser(site, user, offer, browser, by_chromium)
    lines = [f"  {way}: {count} x {status}" for (way, _, status), count in sorted(statuses.items())]
    total = sum(statuses.values())
    lines.insert(0, f"{total} logins in {time.monotonic() - began:.0f} s; offered: {offer.schemes}; {offer.algorithms}")
    wrong = [f"{way} was answered {status}, {count} times" for (way, _, status), count in statuses.items() if status != 200]
    if total != times + by_chromium:
        wrong.append(f"{times + by_chromium - total} logins were not asked for once, or not at all")
    made: Decisions = Counter()
    for (_, scheme, _), count in statuses.items():
        made[(*scheme, "allowed")] += count
    deadline = time.monotonic() + SECONDS_FOR_LOG
    while made - (seen := _decisions(log(), user)) and time.monotonic() < deadline:
        time.sleep(0.1)
    told = (f"{count} x {' '.join(map(str, each))}" for each, count in sorted(seen.items(), key=str))
    lines.append(f"  authsvc has decided: {', '.join(told)}")
    # More than once is no fault: a service asks again elsewhere where it has waited too long.
    if made - seen or {each[:2] for each in seen} != {each[:2] for each in made}:
        wrong.append(f"authsvc has decided {dict(seen)}, and the logins were {dict(made)}")
    return "\n".join(lines), wrong


def _decisions(log: Iterable[dict[str, object]], user: User) -> Decisions:
    told = [event for event in log if event.get("user") == user.name and "outcome" in event]
    return Counter((event["method"], event["algorithm"], event["outcome"]) for event in told)


EXPECTED = {
    "a right answer": "200",
    "the same once more": "401 stale",
    "another nc": "401",
    "another URI": "401",
    "a tampered nonce": "401",
    "an expired nonce": "401 stale",
}


def of_refusals(compose: Compose, site: Site, user: User) -> Part:
    found = try_refusals(compose, site, user)
    lines = [f"{name}: {', '.join(statuses)}" for name, statuses in found.items()]
    return "\n".join(lines), [line for line, name in zip(lines, found, strict=True) if set(found[name]) != {EXPECTED[name]}]


def of_guesses(compose: Compose, site: Site, victim: User, other: User, times: int) -> Part:
    for user in (victim, other):
        assert requests.get(site.url + PAGE, auth=(user.name, user.password), timeout=30).status_code == 200
    seen = flood(compose, site, victim.name, other, times, 20)
    lines = [
        f"{sum(seen.wrong.values())} wrong logins over 20 connections in {seen.seconds:.1f} s: {dict(seen.wrong)}",
        f"another user meanwhile: {dict(seen.others)}, the slowest in {seen.slowest:.2f} s",
        f"authsvc: {seen.memory >> 20} MiB at most of {seen.limit >> 20} MiB",
    ]
    wrong = []
    if set(seen.wrong) - {401, 429} or not seen.wrong[429] or not seen.wrong[401]:
        wrong.append(f"the throttle was not seen to work: {dict(seen.wrong)}")
    if set(seen.others) != {200}:
        wrong.append(f"the other user was refused: {dict(seen.others)}")
    if not 0 < seen.memory < seen.limit or any(each.attrs["RestartCount"] for each in compose.containers("authsvc")):
        wrong.append("authsvc came to its memory limit")
    return "\n".join(lines), wrong


def of_secrets(compose: Compose, site: Site, user: User, images: bool) -> Part:
    """What lies about of `user`, some seconds after the last login; without root, memory is left out."""
    wanted = needles(user)
    time.sleep(SETTLE)
    found = [*search_logs(compose, wanted), *search_inspect(compose, wanted), *search_process_lists(compose, wanted)]
    lines = [f"logs, docker inspect, process lists: {len(found)} finds"]
    with suppress(PermissionError):
        hits, looked = search_memory(compose, wanted)
        lines.append(f"memory of all processes, {looked >> 20} MiB: {len(hits)} finds")
        found += hits
    if images:
        hits, looked = search_images(compose, wanted)
        lines.append(f"image layers, {looked >> 20} MiB: {len(hits)} finds")
        found += hits
    return "\n".join(lines), found
