"""The article's failure: a checker that lists only passwords, behind Digest. It is found at the start and said in words."""

from pathlib import Path
from typing import Any

import pytest
from svckit.auth import DeafPortal, Protected, RemoteChecker, check_portal
from svckit.auth.protect import _OneResource
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IAnonymous, IUsernameDigestHash, IUsernameHashedPassword, IUsernamePassword
from twisted.cred.portal import Portal
from twisted.web.resource import Resource
from zope.interface import implementer


def portal(*interfaces: Any) -> Portal:
    @implementer(ICredentialsChecker)
    class Checker:
        credentialInterfaces = interfaces

        def requestAvatarId(self, credentials: Any) -> Any:
            raise AssertionError("was asked")

    return Portal(_OneResource(Resource()), [Checker()])


def test_the_articles_checker_is_refused_before_anybody_logs_in() -> None:
    with pytest.raises(DeafPortal) as refused:
        Protected(portal(IUsernamePassword), None, b"portico")  # type: ignore[arg-type]
    assert str(refused.value) == (
        "every Digest login would be refused without being checked: the portal's checkers list IUsernamePassword in "
        "credentialInterfaces, and a Digest login needs one of IDigestCredentials, IUsernameHashedPassword, IUsernameDigestHash"
    )


@pytest.mark.parametrize("listed", [IUsernameHashedPassword, IUsernameDigestHash])
def test_and_its_mend_is_enough(listed: Any) -> None:
    check_portal(portal(IUsernamePassword, listed))


def test_the_checker_that_asks_the_auth_service_hears_both() -> None:
    check_portal(Portal(_OneResource(Resource()), [RemoteChecker(Path("/nowhere"), None)]))


def test_digest_alone_is_deaf_to_basic_and_anonymous_to_both() -> None:
    with pytest.raises(DeafPortal, match=r"every Basic login .* list IUsernameHashedPassword .* one of IUsernamePassword$"):
        check_portal(portal(IUsernameHashedPassword))
    check_portal(portal(IUsernameHashedPassword), ["Digest"])
    with pytest.raises(DeafPortal, match="list IAnonymous"):
        check_portal(portal(IAnonymous))


def test_a_portal_without_checkers() -> None:
    with pytest.raises(DeafPortal, match="list nothing"):
        check_portal(Portal(_OneResource(Resource())))
