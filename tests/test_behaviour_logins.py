"""Logins, the same in all deployments."""

import subprocess
import uuid

import pytest
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from .support.programs import program
from .support.site import Site
from .support.visit import PRIVATE

SCHEMES: dict[str, type[HTTPBasicAuth] | type[HTTPDigestAuth]] = {"basic": HTTPBasicAuth, "digest": HTTPDigestAuth}


def mistaken(scheme: str, known: str) -> str:
    """Whose password is wrong: the sites of one deployment share an auth service, and `admin` has ten tries for all of them."""
    return "admin" if scheme == known else nobody()


def nobody() -> str:
    return f"nobody-{uuid.uuid4().hex}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_requests_logs_in(site: Site, scheme: str) -> None:
    def get(user: str, password: str) -> int:
        login: AuthBase = SCHEMES[scheme](user, password)
        return site.get(PRIVATE, auth=login).status_code

    assert get("admin", site.password) == 200
    assert get(mistaken(scheme, "basic"), site.password + "x") == 401
    assert get(nobody(), site.password) == 401


@pytest.mark.parametrize("scheme", SCHEMES)
def test_curl_logs_in(site: Site, scheme: str) -> None:
    def get(user: str, password: str) -> str:
        command = [program("curl"), "-sS", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", f"--{scheme}", *site.curl_flags]
        command += ["-u", f"{user}:{password}", site.url + PRIVATE]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    assert get("admin", site.password) == "200"
    assert get(mistaken(scheme, "digest"), site.password + "x") == "401"


def test_without_a_login_there_are_challenges_for_both_schemes(site: Site) -> None:
    answer = site.get(PRIVATE)
    assert answer.status_code == 401
    offered = answer.headers["WWW-Authenticate"].lower()
    assert "basic " in offered
    assert "digest " in offered
    assert "sha-256" in offered
