"""Short versions of the login runs (`python -m tests.logins` has the long ones)."""

import os
from collections.abc import Iterator

import pytest

from .logins.clients import OFFERS, User
from .logins.runs import add_user, of_guesses, of_logins, of_refusals, of_secrets, replicas
from .support.compose import Compose, events
from .support.site import Site

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def users(compose: Compose, compose_site: Site) -> Iterator[tuple[User, User]]:
    """Two of them, with three replicas of static and two of authsvc."""
    made = add_user(compose), add_user(compose)
    with replicas(compose):
        yield made
    compose.call("restart", "authsvc")  # it forgets the wrong logins of these tests: others come from the same address
    compose.wait_healthy("authsvc")


def test_nobody_is_refused_who_knows_the_password(compose: Compose, compose_site: Site, users: tuple[User, User]) -> None:
    def log() -> list[dict[str, object]]:
        return [event for each in compose.containers("authsvc") for event in events(each)]

    seen, wrong = of_logins(compose_site, users[0], OFFERS["as it comes"], 40, 2, log)
    assert wrong == [], seen


def test_no_answer_is_good_twice_or_for_anything_else(compose: Compose, compose_site: Site, users: tuple[User, User]) -> None:
    seen, wrong = of_refusals(compose, compose_site, users[0])
    assert wrong == [], seen


def test_guesses_hold_nobody_else_up(compose: Compose, compose_site: Site, users: tuple[User, User]) -> None:
    seen, wrong = of_guesses(compose, compose_site, *users, 400)
    assert wrong == [], seen


@pytest.mark.skipif(os.getuid() != 0, reason="other processes' memory is for root to read")
def test_no_password_lies_about(compose: Compose, compose_site: Site, users: tuple[User, User]) -> None:
    seen, wrong = of_secrets(compose, compose_site, users[0], images=False)
    assert wrong == [], seen
