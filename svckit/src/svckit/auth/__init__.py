"""Logins: what a service needs to ask the auth service, and the wire between the two.

The wire (`commands`, `terms`, `nonce`, `digest`, `limits`) is used by both sides and belongs to neither.
"""

from .basic import PasswordCredentials
from .checker import RemoteChecker
from .client import AuthClient
from .digest import DigestCredentials, IDigestCredentials
from .errors import AuthUnavailable, Malformed, NotAllowed, StaleNonce, TooManyTries
from .hearing import DeafPortal, check_portal
from .protect import Protected, protect
from .reception import Asked, NoEntry, Reception, receive
from .terms import SCHEMES, Terms

__all__ = [
    "SCHEMES",
    "Asked",
    "AuthClient",
    "AuthUnavailable",
    "DeafPortal",
    "DigestCredentials",
    "IDigestCredentials",
    "Malformed",
    "NoEntry",
    "NotAllowed",
    "PasswordCredentials",
    "Protected",
    "Reception",
    "RemoteChecker",
    "StaleNonce",
    "Terms",
    "TooManyTries",
    "check_portal",
    "protect",
    "receive",
]
