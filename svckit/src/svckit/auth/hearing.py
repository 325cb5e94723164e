"""Does a portal hear the credentials that it will be brought?

`twisted.cred.portal.Portal` asks a checker only about credentials of an interface that the checker lists. What no checker
lists is refused without asking anybody and without a word: a checker of passwords behind Digest refuses every user, whatever
they type. That is known before the first login, so it is said at the start.
"""

from collections.abc import Iterable

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import Portal
from zope.interface.interface import InterfaceClass

from ..settings import BadOptions
from .digest import IDigestCredentials

__all__ = ["BROUGHT", "DeafPortal", "check_portal"]

BROUGHT: dict[str, InterfaceClass] = {"Basic": IUsernamePassword, "Digest": IDigestCredentials}
"""What the credentials of each scheme provide."""


class DeafPortal(BadOptions):
    """No checker of a portal lists what a scheme brings; the text says which scheme, and what the checkers do list."""


def check_portal(portal: Portal, schemes: Iterable[str] = BROUGHT) -> None:
    """Raises: DeafPortal: some scheme's logins would all be refused without being asked about."""
    listed = list(portal.listCredentialsInterfaces())
    for scheme in schemes:
        brought = BROUGHT[scheme]
        if not any(brought.isOrExtends(one) for one in listed):
            names = ", ".join(sorted(one.getName() for one in listed)) or "nothing"
            wanted = ", ".join(one.getName() for one in brought.__iro__ if one.getName().startswith("IUser") or one is brought)
            raise DeafPortal(
                f"every {scheme} login would be refused without being checked: the portal's checkers list {names} in "
                f"credentialInterfaces, and a {scheme} login needs one of {wanted}"
            )
