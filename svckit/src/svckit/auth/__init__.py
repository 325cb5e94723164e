"""Logins: what a service needs to ask the auth service, and the wire between the two.

The wire (`commands`, `nonce`, `digest`, `limits`) is used by both sides and belongs to neither.
"""

from .basic import PasswordCredentials
from .checker import RemoteChecker
from .client import AuthClient
from .digest import DigestCredentials, IDigestCredentials
from .errors import AuthUnavailable, Malformed, NotAllowed, StaleNonce, TooManyTries
from .hearing import DeafPortal, check_portal
from .protect import Protected, protect

__all__ = [
    "AuthClient",
    "AuthUnavailable",
    "DeafPortal",
    "DigestCredentials",
    "IDigestCredentials",
    "Malformed",
    "NotAllowed",
    "PasswordCredentials",
    "Protected",
    "RemoteChecker",
    "StaleNonce",
    "TooManyTries",
    "check_portal",
    "protect",
]
